import type { ChannelKind, Target } from '@/api/channels'

/** `lines`: a list, one entry a line; `blob`: a text of many lines. */
export type FieldType = 'text' | 'number' | 'switch' | 'choice' | 'lines' | 'blob'

export interface Field {
  name: string
  type: FieldType
  options?: readonly string[]
  min?: number
  max?: number
  placeholder?: string
  /** Folded away with what few need. */
  rare?: boolean
  /** Has a sentence of explanation, `channels.hint.<name>`. */
  hint?: boolean
}

interface Kind {
  /** Whether people read it, so that it has a language and tells of the alarm alone. */
  people: boolean
  secrets: readonly string[]
  /** Secrets without which it cannot work. */
  needed: readonly string[]
  fields: readonly Field[]
  fresh: Record<string, unknown>
}

const CA: Field = { name: 'ca', type: 'blob', rare: true, hint: true, placeholder: '-----BEGIN CERTIFICATE-----' }
const TIMEOUT: Field = { name: 'timeout_s', type: 'number', min: 1, max: 60, rare: true }
const HOST: Field = { name: 'host', type: 'text' }
const PORT: Field = { name: 'port', type: 'number', min: 1, max: 65_535 }
const USER: Field = { name: 'username', type: 'text' }
const KEYWORD: Field = { name: 'keyword', type: 'text', hint: true }
const ROBOT_URL: Field = { name: 'url', type: 'text', rare: true, hint: true }
const ALL: Field = { name: 'mention_all', type: 'switch' }

/** The kinds of channels, in the order in which they are offered; the server has the last word on what is valid. */
export const KINDS: Record<ChannelKind, Kind> = {
  dingtalk: {
    people: true,
    secrets: ['token', 'secret'],
    needed: ['token'],
    fields: [
      KEYWORD,
      { name: 'card', type: 'switch', hint: true },
      { name: 'mention_mobiles', type: 'lines' },
      ALL,
      ROBOT_URL,
    ],
    fresh: {
      url: 'https://oapi.dingtalk.com/robot/send',
      keyword: '',
      card: true,
      mention_mobiles: [],
      mention_all: false,
    },
  },
  wecom: {
    people: true,
    secrets: ['key'],
    needed: ['key'],
    fields: [{ name: 'picture', type: 'switch' }, { name: 'mention', type: 'lines', hint: true }, ROBOT_URL],
    fresh: { url: 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send', picture: true, mention: [] },
  },
  feishu: {
    people: true,
    secrets: ['hook', 'secret'],
    needed: ['hook'],
    fields: [KEYWORD, ALL, ROBOT_URL],
    fresh: { url: 'https://open.feishu.cn/open-apis/bot/v2/hook/', keyword: '', mention_all: false },
  },
  email: {
    people: true,
    secrets: ['password'],
    needed: [],
    fields: [
      { ...HOST, placeholder: 'smtp.example.org' },
      PORT,
      { name: 'security', type: 'choice', options: ['starttls', 'tls', 'none'] },
      USER,
      { name: 'sender', type: 'text', placeholder: 'perimeter@example.org' },
      { name: 'to', type: 'lines', placeholder: 'guard@example.org' },
      { name: 'picture', type: 'switch' },
      CA,
      TIMEOUT,
    ],
    fresh: {
      host: '',
      port: 587,
      security: 'starttls',
      username: '',
      sender: '',
      to: [],
      picture: true,
      ca: '',
      timeout_s: 20,
    },
  },
  http: {
    people: false,
    secrets: ['authorization', 'secret', 'old_secret'],
    needed: [],
    fields: [
      { name: 'url', type: 'text', hint: true, placeholder: 'https://platform.example/api/alarms' },
      { name: 'method', type: 'choice', options: ['POST', 'PUT'] },
      CA,
      TIMEOUT,
    ],
    fresh: {
      url: '',
      method: 'POST',
      headers: {},
      body: null,
      clip_url: '',
      clip_body: null,
      signature: 'none',
      signature_header: 'X-Signature',
      acknowledgement: { statuses: [], path: '', equals: 0 },
      ca: '',
      timeout_s: 10,
    },
  },
  webhook: {
    people: false,
    secrets: ['secret', 'old_secret', 'authorization'],
    needed: [],
    fields: [
      { name: 'url', type: 'text', placeholder: 'https://platform.example/hooks/perimeter' },
      { name: 'signature', type: 'choice', options: ['standard', 'github', 'none'], hint: true },
      CA,
      TIMEOUT,
    ],
    fresh: { url: '', signature: 'standard', ca: '', timeout_s: 10 },
  },
  mqtt: {
    people: false,
    secrets: ['password'],
    needed: [],
    fields: [
      { ...HOST, placeholder: 'broker.example.org' },
      PORT,
      { name: 'tls', type: 'switch' },
      USER,
      { name: 'base', type: 'text', hint: true },
      { name: 'discovery', type: 'text', hint: true, placeholder: 'homeassistant' },
      { name: 'client_id', type: 'text', rare: true },
      CA,
      TIMEOUT,
    ],
    fresh: {
      host: '',
      port: 1883,
      tls: false,
      username: '',
      client_id: '',
      base: 'perishield',
      discovery: '',
      ca: '',
      timeout_s: 10,
    },
  },
}

/** Robots live at their vendor's: what is asked first is the address that bears the secret. */
export function isRobot(kind: ChannelKind): boolean {
  return KINDS[kind].needed.length > 0
}

export const KIND_NAMES = Object.keys(KINDS) as ChannelKind[]

export function freshTarget(kind: ChannelKind): Target {
  return { kind, ...structuredClone(KINDS[kind].fresh), reach: 'internet' }
}

/** What decides whether secrets stay: the server forgets them when their receiver moves. */
const PLACE = ['kind', 'url', 'clip_url', 'host', 'port', 'security', 'tls']

export function moved(before: Target, after: Target): boolean {
  return PLACE.some((name) => (before[name] ?? '') !== (after[name] ?? ''))
}

/** Where it leads, in a few words. */
export function placeOf(target: Target): string {
  const text = (name: string): string => (typeof target[name] === 'string' ? (target[name] as string) : '')
  if (target.kind === 'email') return (target.to as string[]).join(', ')
  if (target.kind === 'mqtt') return `${text('host')}:${String(target.port)}/${text('base')}`
  if (KINDS[target.kind].people) return text('url').replace(/^https?:\/\//, '').replace(/\/.*$/, '')
  return text('url')
}

/** Entries of a list as they were typed: one a line, or with commas between them. */
export function entries(text: string): string[] {
  return text
    .split(/[\s,;，；、]+/)
    .map((entry) => entry.trim())
    .filter(Boolean)
}

/** `Name: value` lines; what has no colon is a name without a value. */
export function headersOf(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const [name = '', ...rest] = line.split(':')
    if (name.trim()) found[name.trim()] = rest.join(':').trim()
  }
  return found
}

export function headerLines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}
