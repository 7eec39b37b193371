import { picture, request, withQuery } from '@/api/http'
import type {
  Alarm,
  AlarmFilter,
  AlarmPage,
  Camera,
  CameraIn,
  ExportJob,
  Hold,
  Ledger,
  List,
  Probe,
  ProbeIn,
  Rule,
  Session,
  SpriteSheet,
  Storage,
  Stream,
  System,
  User,
} from '@/api/types'

const id = encodeURIComponent

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
  probe: (asked: ProbeIn, signal: AbortSignal) => request<Probe>('POST', '/api/video/probe', asked, signal),
  streams: () => request<List<Stream>>('GET', '/api/video/streams'),
}

export const ledger = {
  of: (camera: string, from: string, to: string, signal?: AbortSignal) =>
    request<Ledger>('GET', withQuery(`/api/video/ledger/${id(camera)}`, { from, to }), undefined, signal),
}

export const holds = {
  place: (hold: Pick<Hold, 'camera' | 'from' | 'to' | 'reason'>) => request<Hold>('POST', '/api/holds', hold),
  lift: (hold: string) => request<void>('DELETE', `/api/holds/${id(hold)}`),
}

export const exports = {
  list: () => request<List<ExportJob>>('GET', '/api/exports'),
  start: (camera: string, from: string, to: string) =>
    request<ExportJob>('POST', '/api/exports', { camera, from, to }),
  remove: (job: string) => request<void>('DELETE', `/api/exports/${id(job)}`),
}

export const sprites = (camera: string, from: string, to: string, signal?: AbortSignal): Promise<List<SpriteSheet>> =>
  request<List<SpriteSheet>>('GET', withQuery(`/api/video/sprites/${id(camera)}`, { from, to }), undefined, signal)

/** The newest key frame as an object URL. */
export const snapshot = (camera: string, signal: AbortSignal): Promise<string> =>
  picture(`/api/video/snapshot/${id(camera)}`, signal)

export const storage = {
  read: () => request<Storage>('GET', '/api/storage'),
}

export const system = {
  read: () => request<System>('GET', '/api/system'),
}
