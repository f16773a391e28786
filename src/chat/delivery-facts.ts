/** What a stored job's message tells, made of its row and of what is known besides. */
import type { Delivery } from '../store/deliveries.ts'
import type { JobFacts } from './job-message.ts'

/** The facts of a job's message; `known` is what its row does not hold. */
export function deliveryFacts(
  delivery: Delivery,
  known: Pick<JobFacts, 'model' | 'outlook' | 'isDeviceBack' | 'progress' | 'previewId'>,
): JobFacts {
  const { job, error, isCancelledByModerator } = delivery
  const { id, state, spec, lane, resultKeys, costMicros, cancelledAtMs } = job
  return {
    id,
    state,
    spec,
    lane,
    resultKeys,
    costMicros,
    isStopping: cancelledAtMs !== undefined,
    cancelledBy: isCancelledByModerator ? 'moderator' : 'member',
    ...(error && { error }),
    ...known,
  }
}
