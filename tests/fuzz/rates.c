/* The rates that `heed plan --rates FILE` reads. */
#include "cli/plan_rates.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char yaml[] = "run: {name: x}\nmodel: {family: bert, vocabulary_size: 300, layers: 1, hidden: 16, heads: 2}\n"
                             "train: {steps: 1, sequence_length: 16, batch_sequences: 8}\noptimizer: {learning_rate: 1.0e-3}\n";
  static heed_config config;
  heed_rates rates;
  if (!config.model.hidden)
    FUZZ_MUST(heed_config_parse(&config, yaml, "x.yaml", NULL, 0) == HEED_OK);
  if (fuzz_went_well(plan_rates_read(&rates, fuzz_path(fuzz_file(data, bytes)), &config)))
    FUZZ_MUST(rates.layer > 0 && rates.layer <= 1 && rates.threads >= 1 && rates.ranks >= 1);
  return 0;
}
