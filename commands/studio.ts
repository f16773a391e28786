/**
 * What moderators do. Each group of actions has a file of its own; whoever changes something is told
 * what holds now and how to take it back, and it is in the audit log.
 */
import type { Command } from '../src/chat/command.ts'
import { auditActions } from './studio/audit.ts'
import { guildActions } from './studio/guild.ts'
import { listActions } from './studio/lists.ts'
import { peopleActions } from './studio/people.ts'
import { queueActions } from './studio/queue.ts'
import { quotaActions } from './studio/quota.ts'
import { reportActions } from './studio/reports.ts'

/** The moderators' command. */
export const studio: Command = {
  name: 'studio',
  actions: {
    ...quotaActions,
    ...guildActions,
    ...queueActions,
    ...peopleActions,
    ...listActions,
    ...reportActions,
    ...auditActions,
  },
}
