import type { Channel, ChannelIn, ChannelKind, ChannelRoute, Pace, Target } from '@/api/channels'
import { freshTarget, isRobot, KINDS, moved } from '@/channels/kinds'

/** A channel while somebody edits it. Of secrets, '' stays as it is and null is forgotten. */
export interface Draft {
  id: string
  name: string
  enabled: boolean
  language: 'en' | 'zh'
  timezone: string
  target: Target
  route: ChannelRoute
  pace: Pace
  secrets: Record<string, string | null>
}

/** The parts of the form, in the order of its tabs. */
export const PARTS = ['receiver', 'alarms', 'quiet', 'advanced'] as const
export type Part = (typeof PARTS)[number]

export function freshRoute(): ChannelRoute {
  return { topics: [], levels: [], cameras: [], groups: [], kinds: [], rules: [], schedule: null, schedule_id: null, quiet: null }
}

export function freshPace(): Pace {
  return {
    per_minute: null,
    parallel: null,
    digest_after: null,
    first_retry_s: null,
    most_retry_s: null,
    give_up_s: null,
  }
}

/** The zone of whoever sets it up, who is mostly where the people are that read it. */
const here = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** The same draft for another kind: what only people can be told goes. */
export function turned(draft: Draft, kind: ChannelKind): Draft {
  const { people } = KINDS[kind]
  const { quiet } = draft.route
  const then = !people && quiet?.then === 'digest' ? 'hold' : quiet?.then
  return {
    ...draft,
    timezone: people ? draft.timezone || here() : '',
    target: freshTarget(kind),
    route: { ...draft.route, quiet: quiet && then ? { ...quiet, then } : null },
    pace: { ...draft.pace, digest_after: people ? draft.pace.digest_after : null },
    secrets: {},
  }
}

export function freshDraft(kind: ChannelKind, language: 'en' | 'zh'): Draft {
  return {
    id: '',
    name: '',
    enabled: true,
    language,
    timezone: KINDS[kind].people ? here() : '',
    target: freshTarget(kind),
    route: freshRoute(),
    pace: freshPace(),
    secrets: {},
  }
}

/** A copy that shares nothing, of what Vue may have wrapped. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

export function draftOf(channel: Channel): Draft {
  const { id, name, enabled, language, timezone, target, route, pace } = plain(channel)
  return { id, name, enabled, language, timezone, target, route, pace, secrets: {} }
}

/** What of the secrets is known to the server and will still be there after saving. */
export function keptSecrets(channel: Channel | null, draft: Draft): string[] {
  if (!channel || moved(channel.target, draft.target)) return []
  return Object.entries(channel.secrets)
    .filter(([name, { set }]) => set && draft.secrets[name] !== null)
    .map(([name]) => name)
}

/** Secrets that the kind needs and that nobody has given. */
export function missingSecrets(channel: Channel | null, draft: Draft): string[] {
  const kept = keptSecrets(channel, draft)
  return KINDS[draft.target.kind].needed.filter((name) => !draft.secrets[name]?.trim() && !kept.includes(name))
}

/** What is sent: an id only for a new one, and only those secrets that were typed or are to be forgotten. */
export function bodyOf(draft: Draft, isNew: boolean): ChannelIn {
  const allowed = KINDS[draft.target.kind].secrets
  const secrets = Object.fromEntries(
    Object.entries(draft.secrets)
      .filter(([name, value]) => allowed.includes(name) && (value === null || value.trim()))
      .map(([name, value]) => [name, value === null ? null : value.trim()]),
  )
  const { id, name, enabled, language, timezone, target, route, pace } = draft
  const body: ChannelIn = { name: name.trim(), enabled, language, timezone, target, route, pace, secrets }
  if (isNew && id.trim()) body.id = id.trim()
  return body
}

const RARE = new Set(['ca', 'timeout_s', 'headers', 'client_id', 'clip_url', 'clip_body'])

/** On which tab the field lies that the server names, such as `route.quiet.urgent`. */
export function partOf(field: string, kind: ChannelKind): Part {
  const [first = '', second = ''] = field.split('.')
  if (first === 'pace' || first === 'id') return 'advanced'
  if (first === 'route') return second === 'quiet' ? 'quiet' : 'alarms'
  if (first !== 'target') return 'receiver'
  const ofRobot = isRobot(kind) && (second === 'url' || second === 'reach')
  return ofRobot || RARE.has(second) ? 'advanced' : 'receiver'
}

/** The server's field as the form knows it: `target.acknowledgement.equals` belongs to `target.acknowledgement`. */
export function fieldOf(field: string): string {
  return field.split('.').slice(0, 2).join('.')
}

export type ChannelState = 'off' | 'trouble' | 'paused' | 'ready'

export function stateOf(channel: Channel, now: number): ChannelState {
  if (!channel.enabled) return 'off'
  if (channel.trouble) return 'trouble'
  return channel.paused_until && Date.parse(channel.paused_until) > now ? 'paused' : 'ready'
}
