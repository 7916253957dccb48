/** Memory that the ranks of one machine read of each other, and how they wait for each other there. */
#ifndef HEED_COMM_NODE_H
#define HEED_COMM_NODE_H

#include "comm/job.h"

/** What a rank tells the others near it, by numbers that only grow. */
typedef enum heed_turn {
  HEED_TURN_READY,  /**< sums that it has begun: their data is written */
  HEED_TURN_SUMMED, /**< sums that it has ended: it reads nobody's data any more */
  HEED_TURN_FILLED, /**< flat blocks in which it has what it gives the others */
  HEED_TURN_COPIED, /**< flat blocks of which it has taken what they give */
  HEED_TURN_LAID,   /**< pieces that it has laid out to be added */
  HEED_TURN_ADDED,  /**< pieces of which it has added up its part */
  HEED_TURNS
} heed_turn;

/** Finds out which ranks are near, and shares what they wait by.  Collective.  Without shared memory each rank is near to itself alone. */
heed_status heed_node_open(heed_job *job);

/** The shared memory of this machine that each rank of the world may take, so that there is enough for all of its groups.  Collective. */
size_t heed_node_room(const heed_job *world);

/** Gives back all that is shared.  Collective. */
void heed_node_close(heed_job *job);

/** Whether `data` lies in a block that all near ranks share. */
bool heed_node_shares(heed_job *job, const void *data);

/** The place of what is shared, in the block of near rank `member` (0 ≤ member < near). */
const void *heed_node_peer(heed_job *job, const void *data, int member);

/** Tells the near ranks that this one has come to `number`; what it wrote before is seen by who sees the number. */
void heed_node_tell(heed_job *job, heed_turn turn, int64_t number);

/** Whether all near ranks have come to `number`. */
bool heed_node_all_told(const heed_job *job, heed_turn turn, int64_t number);

/** Waits until they have. */
void heed_node_wait(heed_job *job, heed_turn turn, int64_t number);

#endif
