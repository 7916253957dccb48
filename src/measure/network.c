#include "measure/network.h"

#include <math.h>

double heed_network_half(const heed_network *network, int64_t ranks, double bytes) {
  double p = (double)ranks;
  return ranks > 1 ? log2(p) * network->latency + (p - 1) / p * bytes / network->bandwidth : 0;
}

/* What an allreduce takes is linear in α and 1/β: t = aα + b·n · 1/β. */
typedef struct terms {
  double a, b;
} terms;

static terms terms_of(int64_t ranks) {
  double p = (double)ranks;
  return (terms){2 * log2(p), 2 * (p - 1) / p};
}

/* Of a time's squared error: e = |t′ − t|/√(t·t′) should count, and not its square, so it is divided by both that and what makes it
 * relative; t′ is what `before` gives. */
static double weight_of(double seconds, double before) {
  static const double LEAST = 1e-3; /* errors below do not part times any more */
  double scale = sqrt(seconds * before), error = fabs(before - seconds) / scale;
  return 1 / (scale * scale * (error > LEAST ? error : LEAST));
}

static heed_network improve(const heed_network *before, const double *bytes, const double *seconds, int64_t count, terms x) {
  double aa = 0, ab = 0, bb = 0, at = 0, bt = 0;
  for (int64_t i = 0; i < count; i++) {
    double a = x.a, b = x.b * bytes[i], weight = weight_of(seconds[i], a * before->latency + b / before->bandwidth);
    aa += weight * a * a;
    ab += weight * a * b;
    bb += weight * b * b;
    at += weight * a * seconds[i];
    bt += weight * b * seconds[i];
  }
  double determinant = aa * bb - ab * ab;
  if (determinant > 1e-12 * aa * bb) { /* sizes that are all alike tell nothing of α */
    double latency = (at * bb - bt * ab) / determinant, inverse = (bt * aa - at * ab) / determinant;
    if (latency >= 0 && inverse > 0)
      return (heed_network){latency, 1 / inverse};
  }
  return (heed_network){0, bb / bt};
}

/* By least squares again and again, weighted by the errors that the last ones left. */
heed_network heed_network_fit(const double *bytes, const double *seconds, int64_t count, int64_t ranks) {
  enum { ROUNDS = 50 };
  const terms x = terms_of(ranks);
  heed_network network = {0, x.b * bytes[count - 1] / seconds[count - 1]};
  for (int round = 0; round < ROUNDS; round++)
    network = improve(&network, bytes, seconds, count, x);
  return network;
}
