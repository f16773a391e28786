/** What holds for a member's wish where nothing was said: gathered from member, guild and model. */
import { randomInt } from 'node:crypto'
import { UserError } from '../core/errors.ts'
import { specLimits } from '../core/guild.ts'
import { readPreferences, type Unsaid } from '../core/wish.ts'
import type { ModelCard } from '../store/devices.ts'
import type { StoredGuild, StoredMember } from '../store/guilds.ts'

/** Who wishes, and what can be had. */
export type Wishing = {
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly card: ModelCard | undefined
  readonly styles: Unsaid['styles']
}

/** What holds where nothing was said, with a seed by chance. @throws {UserError} model-unknown */
export function unsaidFor({ guild, member, card, styles }: Wishing): Unsaid {
  return {
    model: knownCard(card).defaults,
    limits: specLimits(guild.settings),
    preferences: readPreferences(member.defaults),
    styles,
    seed: randomInt(2 ** 32),
  }
}

/** What the model is; before any worker has told, nobody knows. @throws {UserError} model-unknown */
export function knownCard(card: ModelCard | undefined): ModelCard {
  if (card === undefined) throw new UserError('model-unknown', {})
  return card
}
