/** What heed doctor found, for people and for programs. */
#ifndef HEED_CLI_DOCTOR_PRINT_H
#define HEED_CLI_DOCTOR_PRINT_H

#include <jansson.h>

#include "measure/doctor.h"

/** Prints the table of ranks, what all have in common, and the findings, each with what to do.  Errors: HEED_FAILED when memory is short.
 */
heed_status heed_doctor_print(const heed_doctor_job *job, const heed_findings *findings);

/** The same as an object; NULL when memory is short. */
json_t *heed_doctor_json(const heed_doctor_job *job, const heed_findings *findings);

#endif
