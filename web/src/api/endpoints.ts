import { change, picture, request, withQuery } from '@/api/http'
import type { CameraGroup, Channel, ChannelIn, Delivery, DeliveryFilter, DeliveryPage, Trial } from '@/api/channels'
import type {
  Alarm,
  AlarmFilter,
  AlarmPage,
  AlarmStep,
  BulkStep,
  Camera,
  CameraIn,
  ConditionCheck,
  ExportJob,
  Happening,
  Hold,
  Ledger,
  List,
  NamedSchedule,
  Outcome,
  Point,
  Probe,
  ProbeIn,
  Rule,
  RuleState,
  Schedule,
  Session,
  ShadowJob,
  SpriteSheet,
  Storage,
  Stream,
  System,
  User,
} from '@/api/types'
import type { Names } from '@/channels/template'

const id = encodeURIComponent

export const account = {
  setupNeeded: () => request<{ needed: boolean }>('GET', '/api/setup'),
  setup: (token: string, username: string, password: string) =>
    request<Session>('POST', '/api/setup', { token, username, password, cookie: true }),
  ways: () => request<{ registration: boolean; oidc: string }>('GET', '/api/auth/ways'),
  login: (username: string, password: string, code: string) =>
    request<Session>('POST', '/api/auth/login', { username, password, code, cookie: true }),
  /** By the cookie that the login has set. */
  renew: () => request<Session>('POST', '/api/auth/refresh'),
  logout: () => request<void>('POST', '/api/auth/logout'),
  setPassword: (token: string, password: string) => request<void>('POST', '/api/auth/password', { token, password }),
  me: () => request<User>('GET', '/api/auth/me'),
}

export const cameras = {
  list: () => request<List<Camera>>('GET', '/api/cameras'),
  create: (camera: CameraIn) => request<Camera>('POST', '/api/cameras', camera),
  replace: (camera: string, body: CameraIn) => request<Camera>('PUT', `/api/cameras/${id(camera)}`, body),
  remove: (camera: string) => request<void>('DELETE', `/api/cameras/${id(camera)}`),
}

/** Polygons, corners as shares of the picture. */
export const privacy = {
  read: (camera: string) => request<{ masks: Point[][] }>('GET', `/api/cameras/${id(camera)}/privacy`),
  change: (camera: string, masks: Point[][]) =>
    request<{ masks: Point[][] }>('PUT', `/api/cameras/${id(camera)}/privacy`, { masks }),
}

export const rules = {
  list: (camera?: string) => request<List<Rule>>('GET', withQuery('/api/rules', { camera })),
  create: (rule: Partial<Rule>) => request<Rule>('POST', '/api/rules', rule),
  replace: (rule: Rule) => request<Rule>('PUT', `/api/rules/${id(rule.id)}`, rule),
  remove: (rule: string) => request<void>('DELETE', `/api/rules/${id(rule)}`),
  arm: (rule: string, how: 'arm' | 'arm?always=true' | 'disarm' | 'rearm') =>
    request<Rule>('POST', `/api/rules/${id(rule)}/${how}`),
  state: (rule: string) => request<RuleState>('GET', `/api/rules/${id(rule)}/state`),
  tryCondition: (condition: string) => request<ConditionCheck>('POST', '/api/rules/condition', { condition }),
}

export const schedules = {
  list: () => request<List<NamedSchedule>>('GET', withQuery('/api/schedules', { limit: 1000 })),
  create: (name: string, schedule: Schedule) => request<NamedSchedule>('POST', '/api/schedules', { name, schedule }),
  replace: (one: NamedSchedule) => {
    const { name, schedule, revision } = one
    return request<NamedSchedule>('PUT', `/api/schedules/${id(one.id)}`, { name, schedule, revision })
  },
  remove: (schedule: string) => request<void>('DELETE', `/api/schedules/${id(schedule)}`),
}

export const alarms = {
  page: (filter: AlarmFilter, limit: number, before?: string, signal?: AbortSignal, grouped = false) =>
    request<AlarmPage>(
      'GET',
      withQuery('/api/alarms', { ...filter, grouped: grouped ? 'true' : undefined, limit, before }),
      undefined,
      signal,
    ),
  one: (alarm: string) => request<Alarm>('GET', `/api/alarms/${id(alarm)}`),
  step: (alarm: Alarm, step: AlarmStep, body: { comment: string; reason?: string }) =>
    change<Alarm>(`/api/alarms/${id(alarm.id)}/${step}`, body, alarm.revision),
  assign: (alarm: Alarm, assignee: string) =>
    change<Alarm>(`/api/alarms/${id(alarm.id)}/assign`, { assignee }, alarm.revision),
  /** The same step for many, as they were seen. */
  bulk: (step: BulkStep, seen: readonly Alarm[]) =>
    request<{ items: Outcome[]; done: number }>('POST', '/api/alarms/bulk', {
      ...step,
      ids: seen.map((alarm) => alarm.id),
      revisions: Object.fromEntries(seen.map((alarm) => [alarm.id, alarm.revision])),
    }),
  comment: (alarm: string, comment: string) =>
    request<Alarm>('POST', `/api/alarms/${id(alarm)}/comments`, { comment }),
  history: (alarm: string) => request<List<Happening>>('GET', `/api/alarms/${id(alarm)}/history`),
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
  list: () => request<List<Hold>>('GET', '/api/holds'),
  place: (hold: Pick<Hold, 'camera' | 'from' | 'to' | 'reason'>) => request<Hold>('POST', '/api/holds', hold),
  lift: (hold: string) => request<void>('DELETE', `/api/holds/${id(hold)}`),
}

export const exports = {
  list: () => request<List<ExportJob>>('GET', '/api/exports'),
  start: (camera: string, from: string, to: string) =>
    request<ExportJob>('POST', '/api/exports', { camera, from, to }),
  remove: (job: string) => request<void>('DELETE', `/api/exports/${id(job)}`),
}

export const shadow = {
  start: (camera: string, from: string, to: string, rule: Rule | null) =>
    request<ShadowJob>('POST', '/api/shadow', { camera, from, to, ...(rule ? { rule: { ...rule, id: rule.id || null } } : {}) }),
  one: (job: string) => request<ShadowJob>('GET', `/api/shadow/${id(job)}`),
  remove: (job: string) => request<void>('DELETE', `/api/shadow/${id(job)}`),
}

export const sprites = (camera: string, from: string, to: string, signal?: AbortSignal): Promise<List<SpriteSheet>> =>
  request<List<SpriteSheet>>('GET', withQuery(`/api/video/sprites/${id(camera)}`, { from, to }), undefined, signal)

/** The newest key frame as an object URL. */
export const snapshot = (camera: string, signal: AbortSignal): Promise<string> =>
  picture(`/api/video/snapshot/${id(camera)}`, signal)

export const channels = {
  list: () => request<List<Channel>>('GET', '/api/channels'),
  names: () => request<Names>('GET', '/api/channels/names'),
  groups: () => request<List<CameraGroup>>('GET', '/api/groups?limit=500'),
  create: (channel: ChannelIn) => request<Channel>('POST', '/api/channels', channel),
  /** Fails where somebody has changed it since `revision`. */
  replace: (channel: string, body: ChannelIn, revision: number) =>
    request<Channel>('PUT', `/api/channels/${id(channel)}`, body, undefined, { 'If-Match': `"${revision}"` }),
  remove: (channel: string) => request<void>('DELETE', `/api/channels/${id(channel)}`),
  test: (channel: string) => request<Trial>('POST', `/api/channels/${id(channel)}/test`),
  retry: (channel: string) => request<{ retried: number }>('POST', `/api/channels/${id(channel)}/retry`),
}

export const deliveries = {
  page: (filter: DeliveryFilter, limit: number, before?: number, signal?: AbortSignal) =>
    request<DeliveryPage>('GET', withQuery('/api/deliveries', { ...filter, limit, before }), undefined, signal),
  retry: (number: number) => request<Delivery>('POST', `/api/deliveries/${number}/retry`),
}

export const storage = {
  read: () => request<Storage>('GET', '/api/storage'),
}

export const system = {
  read: () => request<System>('GET', '/api/system'),
}
