/** The inside of judging, for doctor_judge.c (comparisons) and doctor_checks.c (limits). */
#ifndef HEED_MEASURE_DOCTOR_JUDGE_H
#define HEED_MEASURE_DOCTOR_JUDGE_H

#include "measure/doctor.h"

typedef struct heed_judge {
  const heed_doctor_job *job;
  heed_findings *findings;
  bool *about; /**< [count] ranks of the finding that is being made; all false between two */
  heed_status status;
} heed_judge;

/** Adds a finding about the ranks marked in `about`, and clears the marks.  Its text begins with their names and hosts, if there are any
 *  and `named`.  Once memory was short nothing more is added: `status` says so. */
__attribute__((format(printf, 5, 6))) void heed_judge_add(heed_judge *judge, heed_severity severity, bool named, const char *advice,
                                                          const char *format, ...);

/** The ranks that are marked: "rank 3 (node07)". */
void heed_judge_name(const heed_judge *judge, char *text, size_t bytes);

/** Facts that should be alike on all ranks. */
void heed_judge_likeness(heed_judge *judge);

/** Facts that have limits: of a rank, a machine, a link, the run folder. */
void heed_judge_limits(heed_judge *judge);

#endif
