/** What the page asks of the server, as JSON: where one can be, what was said, and saying more. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { pageOfChannel } from '../../store/web-messages.ts'
import { aliveDevices } from '../../store/devices.ts'
import type { Command } from '../command.ts'
import { completions } from '../completions.ts'
import { catalogues } from '../i18n.ts'
import { labelsOf } from '../labels.ts'
import type { Form } from '../message.ts'
import type { Services } from '../services.ts'
import { suggestions } from './completion.ts'
import type { Conversation, Exchange } from './conversation.ts'
import type { DemoGuild, Place } from './place.ts'
import { inEveryLocale, localeOf, speaker } from './refusal.ts'
import {
  anyRequest,
  bodyLimitBytes,
  completionRequest,
  pageRequest,
  pressRequest,
  sayRequest,
  statusRequest,
  streamRequest,
  visitorOf,
} from './requests.ts'
import { statusOf } from './status.ts'
import type { Streams } from './streams.ts'
import { type View, viewOf } from './views.ts'

/** What the routes are made of. */
export type Routes = {
  readonly services: Services
  readonly place: Place
  readonly commands: readonly Command[]
  readonly conversation: Conversation
  readonly streams: Streams
  readonly isTokenNeeded: boolean
}

/** What an answer looks like on the page. */
export type ReplyView =
  { readonly kind: 'message'; readonly view: View } | { readonly kind: 'form'; readonly form: Form }

const pageSize = 50

/** Serves the page's questions. */
export function serveApi(app: FastifyInstance, routes: Routes): void {
  const { services, place } = routes
  const { database, modelCard, now } = services

  app.get('/api/words', (request) => ({ locale: localeOf(request), catalogues: pageWords }))

  app.get('/api/place', async (request) => {
    const say = speaker(localeOf(request))
    anyRequest.parse(request.query)
    const card = await modelCard()
    const devices = await aliveDevices(database, now())
    return {
      guilds: place.guilds.map(({ id, name, channels, members }) => ({
        id,
        name: say(name),
        channels: channels.map((channel) => ({ id: channel.id, name: say(channel.name) })),
        members: members.map(({ id, name, role }) => ({ id, name: say(name), role })),
      })),
      model: card ? { name: card.name, parameters: card.parameters } : null,
      deviceCount: devices.length,
      isTokenNeeded: routes.isTokenNeeded,
    }
  })

  app.get('/api/commands', (request) => {
    anyRequest.parse(request.query)
    return completions(routes.commands, labelsOf(localeOf(request)))
  })

  app.get('/api/complete', async (request) => {
    const asked = completionRequest.parse(request.query)
    const say = speaker(localeOf(request))
    return suggestions(database, visitorOf(place, asked), asked, say)
  })

  app.get('/api/messages', async (request) => {
    const { before, ...at } = pageRequest.parse(request.query)
    const { guild, channel, member } = visitorOf(place, at)
    const { messages, hasMore } = await pageOfChannel(database, {
      guild,
      channel: channel.id,
      member: member.id,
      limit: pageSize,
      ...(before !== undefined && { before }),
    })
    const say = speaker(localeOf(request))
    return { messages: messages.map((message) => viewOf(message, guild, say)), hasMore }
  })

  app.get('/api/status', async (request) => {
    const visitor = visitorOf(place, statusRequest.parse(request.query))
    return statusOf(services, place, visitor, localeOf(request))
  })

  app.get('/api/events', async (request, reply) => {
    const visitor = visitorOf(place, streamRequest.parse(request.query))
    routes.streams.checkRoom()
    const lastEventId = request.headers['last-event-id']
    reply.hijack()
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value)
    }
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    routes.streams.open(reply.raw, {
      visitor,
      locale: localeOf(request),
      lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
    })
    return reply
  })

  serveTalk(app, routes)
}

/** What is said and pressed. */
function serveTalk(app: FastifyInstance, { place, conversation }: Routes): void {
  const options = { bodyLimit: bodyLimitBytes }

  app.post('/api/say', options, async (request) => {
    const said = sayRequest.parse(request.body)
    const visitor = visitorOf(place, said)
    return answered(await conversation.say(visitor, localeOf(request), said), visitor, request)
  })

  app.post('/api/press', options, async (request) => {
    const pressed = pressRequest.parse(request.body)
    const visitor = visitorOf(place, pressed)
    return answered(await conversation.press(visitor, localeOf(request), pressed), visitor, request)
  })
}

function answered(
  { said, answers }: Exchange,
  { guild }: { readonly guild: DemoGuild },
  request: FastifyRequest,
): { readonly message: View | null; readonly replies: readonly ReplyView[] } {
  const say = speaker(localeOf(request))
  return {
    message: said ? viewOf(said, guild, say) : null,
    replies: answers.map((answer) =>
      answer.kind === 'form'
        ? answer
        : { kind: 'message', view: viewOf(answer.message, guild, say) },
    ),
  }
}

/** The words that the page says itself, raw: their only arguments are plain `{name}`s. */
const pageWords = inEveryLocale((locale) =>
  Object.fromEntries(Object.entries(catalogues[locale]).filter(([key]) => key.startsWith('web.'))),
)
