/** Every command, in the order in which they are listed. */
import type { Command } from '../src/chat/command.ts'
import { again } from './again.ts'
import { appeal } from './appeal.ts'
import { edit } from './edit.ts'
import { gallery } from './gallery.ts'
import { help } from './help.ts'
import { imagine } from './imagine.ts'
import { privacy } from './privacy.ts'
import { queue } from './queue.ts'
import { quota } from './quota.ts'
import { report } from './report.ts'
import { settings } from './settings.ts'
import { studio } from './studio.ts'
import { styles } from './styles.ts'

/** What people can say. */
export const commands: readonly Command[] = [
  imagine,
  edit,
  again,
  queue,
  gallery,
  styles,
  settings,
  quota,
  privacy,
  help,
  report,
  appeal,
  studio,
]
