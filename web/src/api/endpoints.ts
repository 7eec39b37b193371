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
  recordings: (camera: string, from: string, to: string, signal?: AbortSignal) =>
    request<List<Recording>>(
      'GET',
      withQuery(`/api/video/recordings/${id(camera)}`, { from, to, limit: 10_000 }),
      undefined,
      signal,
    ),
  playback: (camera: string, from: string, to: string) =>
    request<Playback>('GET', withQuery(`/api/video/playback/${id(camera)}`, { from, to })),
  snapshot: (camera: string, signal?: AbortSignal) => picture(`/api/video/snapshot/${id(camera)}`, signal),
}

export const system = {
  read: () => request<System>('GET', '/api/system'),
}
