/** What is left of the quota, one's own jobs in line, and who is served and why. */
import { make } from './talk.js'
import { say } from './words.js'

/** Shows a status; `onCancel(job)` is called by the buttons of one's own jobs. */
export function showStatus(page, { quota, queue }, onCancel) {
  page['quota-text'].textContent = quota.text
  page['quota-meter'].hidden = quota.fraction === null
  page['quota-meter'].value = quota.fraction ?? 0
  page.mine.replaceChildren(
    ...queue.mine.map(({ job, text }) => {
      const item = make('li')
      const cancel = make('button', { type: 'button', textContent: say('web.cancel') })
      cancel.setAttribute('aria-label', `${say('web.cancel')}: ${text}`)
      cancel.addEventListener('click', () => onCancel(job))
      item.append(make('span', { dir: 'auto', textContent: text }), cancel)
      return item
    }),
  )
  page['mine-none'].hidden = queue.mine.length > 0
  page.served.hidden = queue.served.length === 0
  page.served.tBodies[0].replaceChildren(
    ...queue.served.map(({ guildName, waitingJobs, runningJobs, weight, isMine }) => {
      const row = make('tr', { className: isMine ? 'mine' : '' })
      const name = make('th', { scope: 'row', textContent: guildName })
      const cells = [waitingJobs, runningJobs, weight].map((number) =>
        make('td', { textContent: String(number) }),
      )
      row.append(name, ...cells)
      return row
    }),
  )
  page.why.textContent = queue.why
}
