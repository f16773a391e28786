/** What is left of the quota, one's own jobs in line, and who is served and why. */
import { make } from './make.js'
import { label, tell } from './words.js'

/** Shows a status; `onCancel(job)` is called by the buttons of one's own jobs. */
export function showStatus(page, { quota, queue, devices }, onCancel) {
  page['quota-text'].textContent = quota.text
  page['quota-meter'].hidden = quota.of === null
  page['quota-meter'].value = quota.fraction
  showMine(page, queue.mine, onCancel)
  page.served.hidden = queue.served.length === 0
  page.served.tBodies[0].replaceChildren(...queue.served.map(rowOf))
  page.why.textContent = queue.why
  tell(page.devices, 'web.devices', { count: devices })
}

/** Careful: what stays is changed in place, or a focus and a press on their way would be lost. */
function showMine({ mine, 'mine-none': none }, jobs, onCancel) {
  const shown = new Map([...mine.children].map((item) => [item.dataset.job, item]))
  for (const [job, item] of shown) {
    if (!jobs.some((each) => each.job === job)) item.remove()
  }
  for (const { job, text } of jobs) {
    const item = shown.get(job) ?? mine.appendChild(itemOf(job, onCancel))
    if (item.firstChild.textContent !== text) item.firstChild.textContent = text
    label(item.lastChild, 'web.cancel-job', { text })
  }
  none.hidden = jobs.length > 0
}

function itemOf(job, onCancel) {
  const cancel = tell(make('button', { type: 'button' }), 'web.cancel')
  cancel.addEventListener('click', () => onCancel(job))
  const item = make('li', {}, make('span', { dir: 'auto' }), cancel)
  item.dataset.job = job
  return item
}

function rowOf({ guildName, lane, waitingJobs, runningJobs, weight, isMine }) {
  const name = make('th', { scope: 'row' }, make('span', { dir: 'auto', textContent: guildName }))
  if (lane !== 'fast') {
    name.append(' ', tell(make('span', { className: 'role' }), `web.lane-${lane}`))
  }
  const cells = [waitingJobs, runningJobs, weight].map((number) =>
    make('td', { textContent: String(number) }),
  )
  return make('tr', { className: isMine ? 'mine' : '' }, name, ...cells)
}
