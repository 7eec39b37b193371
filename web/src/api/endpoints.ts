import { picture, request, withQuery } from '@/api/http'
import type {
  Alarm,
  AlarmFilter,
  AlarmPage,
  Camera,
  CameraIn,
  List,
  Playback,
  Recording,
  Rule,
  Session,
  Stream,
  System,
  User,
} from '@/api/types'

const id = encodeURIComponent
const SEGMENTS_AT_ONCE = 5000

/** All segments of a time, oldest first, fetched in pages: a day has thousands. */
async function recordings(camera: string, from: string, to: string, signal?: AbortSignal): Promise<Recording[]> {
  const found: Recording[] = []
  for (let start = from; ; ) {
    const query = { from: start, to, limit: SEGMENTS_AT_ONCE }
    const address = withQuery(`/api/video/recordings/${id(camera)}`, query)
    const { items } = await request<List<Recording>>('GET', address, undefined, signal)
    const last = found.at(-1)?.start ?? ''
    found.push(...items.filter((item) => item.start > last))
    const next = items.at(-1)?.start
    if (items.length < SEGMENTS_AT_ONCE || !next || next <= start) return found
    start = next
  }
}

export const account = {
  setupNeeded: () => request<{ needed: boolean }>('GET', '/api/setup'),
  setup: (token: string, username: string, password: string) =>
    request<Session>('POST', '/api/setup', { token, username, password }),
  login: (username: string, password: string) => request<Session>('POST', '/api/auth/login', { username, password }),
  me: () => request<User>('GET', '/api/auth/me'),
}

export const cameras = {
  list: () => request<List<Camera>>('GET', '/api/cameras'),
  create: (camera: CameraIn) => request<Camera>('POST', '/api/cameras', camera),
  replace: (camera: string, body: CameraIn) => request<Camera>('PUT', `/api/cameras/${id(camera)}`, body),
  remove: (camera: string) => request<void>('DELETE', `/api/cameras/${id(camera)}`),
}

export const rules = {
  list: (camera?: string) => request<List<Rule>>('GET', withQuery('/api/rules', { camera })),
  create: (rule: Partial<Rule>) => request<Rule>('POST', '/api/rules', rule),
  replace: (rule: Rule) => request<Rule>('PUT', `/api/rules/${id(rule.id)}`, rule),
  remove: (rule: string) => request<void>('DELETE', `/api/rules/${id(rule)}`),
}

export const alarms = {
  page: (filter: AlarmFilter, limit: number, before?: string, signal?: AbortSignal) =>
    request<AlarmPage>('GET', withQuery('/api/alarms', { ...filter, limit, before }), undefined, signal),
  one: (alarm: string) => request<Alarm>('GET', `/api/alarms/${id(alarm)}`),
}

export const video = {
  streams: () => request<List<Stream>>('GET', '/api/video/streams'),
  recordings,
  playback: (camera: string, from: string, to: string) =>
    request<Playback>('GET', withQuery(`/api/video/playback/${id(camera)}`, { from, to })),
}

/** The newest key frame as an object URL. */
export const snapshot = (camera: string, signal: AbortSignal): Promise<string> =>
  picture(`/api/video/snapshot/${id(camera)}`, signal)

export const system = {
  read: () => request<System>('GET', '/api/system'),
}
