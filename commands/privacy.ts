/** `privacy`: everything that is kept about a member, to have or to delete. */
import { printAction } from '../src/chat/action.ts'
import { type Command, action } from '../src/chat/command.ts'
import { privately } from '../src/chat/message.ts'
import { deleteEverything, exportPart } from '../src/jobs/privacy.ts'
import { countOf } from '../src/store/privacy.ts'

/** Exports and deletes. */
export const privacy: Command = {
  name: 'privacy',
  actions: {
    export: action({
      verb: 'privacy export',
      options: { from: { kind: 'integer', least: 1, most: 1_000_000 } },
      run: async ({ say, guild, member, services, nowMs }, { from = 1 }) => {
        const part = await exportPart(services, { guild, member }, { from, nowMs })
        const next = part.to + 1
        const isLast = part.to >= part.files
        const facts = { from, to: part.to, files: part.files, next }
        return privately({
          text: [
            part.files === 0 ? say('privacy.export-empty') : say('privacy.export', facts),
            ...(isLast ? [] : [say('privacy.export-more', { next })]),
          ].join('\n'),
          file: {
            fileName: `zimagine-${from}.zip`,
            contentType: 'application/zip',
            bytes: part.bytes,
          },
          ...(!isLast && {
            buttons: [
              [
                {
                  label: say('privacy.export-next'),
                  action: printAction('privacy-export', next),
                  style: 'primary',
                },
              ],
            ],
          }),
        })
      },
    }),
    delete: action({
      verb: 'privacy delete',
      options: { confirm: { kind: 'choice', choices: ['yes'] } },
      run: async ({ say, guild, member, services, nowMs }, { confirm }) => {
        const { database, removeShown } = services
        if (confirm !== 'yes') {
          const label = say('privacy.delete-button')
          const confirmation = printAction('privacy-delete', 'yes')
          return privately({
            text: say('privacy.delete-ask', await countOf(database, { guild, member })),
            buttons: [[{ label, action: confirmation, style: 'danger' }]],
          })
        }
        const erased = await deleteEverything(services, { guild, member }, nowMs)
        const { jobs, pictures, messages, isRemembered } = erased
        removeShown(messages)
        return privately({
          text: [
            say('privacy.deleted', { jobs, pictures }),
            ...(messages.length > 0 ? [say('privacy.messages', { count: messages.length })] : []),
            ...(isRemembered ? [say('privacy.remembered')] : []),
          ].join('\n'),
        })
      },
    }),
  },
}
