/**
 * Where one is and as whom: guild, channel, member. It is a demo, so anybody may be anybody; the
 * choice is remembered for the next visit, and is the address's hash, so that a second window can be
 * somebody else.
 */
import { make } from './make.js'
import { portraitOf } from './portrait.js'
import { tell } from './words.js'

const remembered = 'zimagine.place'

/** The switchers of a page; `onChange(place)` is told of each choice, not of the first place. */
export class Switcher {
  #page
  #guilds
  #place

  constructor(page, guilds, onChange) {
    this.#page = page
    this.#guilds = guilds
    this.#place = this.#near(readHash() ?? recall())
    const go = (wanted) => {
      this.#place = this.#near(wanted)
      this.#show(wanted.guild === page.guilds.dataset.shown)
      onChange(this.#place)
    }
    page.guilds.addEventListener('change', ({ target }) => go({ guild: target.value }))
    page.channels.addEventListener('change', ({ target }) =>
      go({ ...this.#place, channel: target.value }),
    )
    page.members.addEventListener('change', ({ target }) =>
      go({ ...this.#place, member: target.value }),
    )
    addEventListener('hashchange', () => {
      const wanted = readHash()
      if (wanted && hashOf(this.#near(wanted)) !== hashOf(this.#place)) go(wanted)
    })
    this.#show(false)
  }

  /** Guild, channel and member, by id. */
  get place() {
    return this.#place
  }

  /** The same places in other words. */
  rename(guilds) {
    this.#guilds = guilds
    this.#show(false)
  }

  /** The place wanted as far as there is such a one; the first of everything else. */
  #near(wanted) {
    const guild = oneOf(this.#guilds, wanted.guild)
    return {
      guild: guild.id,
      channel: oneOf(guild.channels, wanted.channel).id,
      member: oneOf(guild.members, wanted.member).id,
    }
  }

  #show(isSameGuild) {
    const { guilds, channels, members, channel, here } = this.#page
    const at = this.#place
    const guild = oneOf(this.#guilds, at.guild)
    // Careful: what is made anew loses the focus, so only what is another guild's or language's is.
    if (!isSameGuild) {
      guilds.dataset.shown = guild.id
      offer(guilds, this.#guilds, () => [])
      offer(channels, guild.channels, () => [make('span', { textContent: '#' })])
      offer(members, guild.members, (member) => [portraitOf(member)])
    }
    check(guilds, at.guild)
    check(channels, at.channel)
    check(members, at.member)
    const there = `# ${oneOf(guild.channels, at.channel).name}`
    const { name } = oneOf(guild.members, at.member)
    channel.textContent = there
    here.textContent = `${there} · ${name}`
    document.title = `${there} · ${guild.name} · Zimagine`
    tell(this.#page.as, 'web.as', { guild: guild.name, member: name })
    remember(at)
  }
}

/** Fills a group of radio buttons, after its legend. */
function offer(group, choices, markOf) {
  const focused = group.contains(document.activeElement) ? document.activeElement.value : undefined
  const made = choices.map((choice) => {
    const input = make('input', { type: 'radio', name: group.id, value: choice.id })
    const row = make('label', { className: 'choice' }, input, ...markOf(choice))
    row.append(make('span', { className: 'name', dir: 'auto', textContent: choice.name }))
    if (choice.role && choice.role !== 'member') {
      row.append(' ', tell(make('span', { className: 'role' }), `web.role-${choice.role}`))
    }
    return row
  })
  group.replaceChildren(group.querySelector('legend'), ...made)
  if (focused !== undefined) {
    check(group, focused)
    group.querySelector(':checked')?.focus()
  }
}

function check(group, value) {
  for (const input of group.querySelectorAll('input')) input.checked = input.value === value
}

function oneOf(list, id) {
  return list.find((each) => each.id === id) ?? list[0]
}

function hashOf({ guild, channel, member }) {
  return `#${[guild, channel, member].map(encodeURIComponent).join('/')}`
}

function readHash() {
  try {
    const [guild, channel, member] = location.hash.slice(1).split('/').map(decodeURIComponent)
    return member === undefined ? undefined : { guild, channel, member }
  } catch {
    return undefined
  }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(remembered)) ?? {}
  } catch {
    return {}
  }
}

function remember(place) {
  history.replaceState(null, '', hashOf(place))
  try {
    localStorage.setItem(remembered, JSON.stringify(place))
  } catch {
    // A browser that keeps nothing still switches.
  }
}
