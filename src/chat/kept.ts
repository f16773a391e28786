/**
 * What could not be delivered, told at the next contact: jobs of a member that have ended while the
 * place that they were asked in could not be reached. Told once.
 */
import type { StoredMember } from '../store/guilds.ts'
import { findDelivery, keptJobs, markDelivered } from '../store/deliveries.ts'
import { deliveryFacts } from './delivery-facts.ts'
import type { Words } from './i18n.ts'
import { jobMessage } from './job-message.ts'
import { privately, type Reply } from './message.ts'
import type { Services } from './services.ts'

/** Private messages with what was kept for a member, which count as delivered from now on. */
export async function keptReplies(
  { database, modelCard, now }: Services,
  member: StoredMember,
  say: Words,
): Promise<Reply[]> {
  const replies: Reply[] = []
  for (const id of await keptJobs(database, member)) {
    const delivery = await findDelivery(database, id)
    // Careful: marked before it is told, so that two contacts at once do not both tell it.
    if (!delivery || !(await markDelivered(database, id, { nowMs: now() }))) continue
    const model = (await modelCard())?.name
    const message = jobMessage(deliveryFacts(delivery, { model }), say)
    replies.push(privately({ ...message, text: `${say('chat.kept')}\n${message.text}` }))
  }
  return replies
}
