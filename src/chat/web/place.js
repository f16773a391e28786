/**
 * Where one is and as whom: guild, channel, member. It is a demo, so anybody may be anybody; the
 * choice is remembered for the next visit, and is the address's hash, so that a second window can be
 * somebody else.
 */
import { say } from './words.js'

const remembered = 'zimagine.place'

/** Makes the switchers work. `onChange(place)` is told of the first choice and each later one. */
export function choosePlace(page, guilds, onChange) {
  let guilds_ = guilds
  let place = placeNear(guilds_, readHash() ?? recall())

  const fill = () => {
    const guild = guilds_.find(({ id }) => id === place.guild)
    page.guild.replaceChildren(...guilds_.map(({ id, name }) => optionOf(id, name)))
    page.guild.value = place.guild
    page.member.replaceChildren(
      ...guild.members.map(({ id, name, role }) =>
        optionOf(id, role === 'member' ? name : `${name} (${say(`web.role-${role}`)})`),
      ),
    )
    page.member.value = place.member
    page.channels.replaceChildren(
      ...guild.channels.map(({ id, name }) => {
        const button = document.createElement('button')
        button.type = 'button'
        button.textContent = `# ${name}`
        button.setAttribute('aria-pressed', String(id === place.channel))
        button.addEventListener('click', () => go({ ...place, channel: id }))
        return button
      }),
    )
    page.channel.textContent = `# ${guild.channels.find(({ id }) => id === place.channel).name}`
  }
  const go = (wanted) => {
    place = placeNear(guilds_, wanted)
    remember(place)
    fill()
    onChange(place)
  }

  page.guild.addEventListener('change', () => go({ guild: page.guild.value }))
  page.member.addEventListener('change', () => go({ ...place, member: page.member.value }))
  addEventListener('hashchange', () => {
    const wanted = readHash()
    if (
      wanted !== undefined &&
      JSON.stringify(placeNear(guilds_, wanted)) !== JSON.stringify(place)
    ) {
      go(wanted)
    }
  })
  go(place)
  return {
    /** The same places in other words. */
    rename(renamed) {
      guilds_ = renamed
      fill()
    },
  }
}

/** The place wanted as far as there is such a one; the first of everything else. */
function placeNear(guilds, wanted = {}) {
  const oneOf = (list, id) => list.find((each) => each.id === id) ?? list[0]
  const guild = oneOf(guilds, wanted.guild)
  return {
    guild: guild.id,
    channel: oneOf(guild.channels, wanted.channel).id,
    member: oneOf(guild.members, wanted.member).id,
  }
}

function optionOf(value, text) {
  const option = document.createElement('option')
  option.value = value
  option.textContent = text
  return option
}

function readHash() {
  const [guild, channel, member] = location.hash.slice(1).split('/').map(decodeURIComponent)
  return member === undefined ? undefined : { guild, channel, member }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(remembered) ?? '{}')
  } catch {
    return {}
  }
}

function remember(place) {
  history.replaceState(null, '', `#${[place.guild, place.channel, place.member].join('/')}`)
  try {
    localStorage.setItem(remembered, JSON.stringify(place))
  } catch {
    // A browser that keeps nothing still switches.
  }
}
