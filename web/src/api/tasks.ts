/** Which model looks at which camera, and when. */
import { request, withQuery } from '@/api/http'
import type { List, Schedule } from '@/api/types'

const id = encodeURIComponent

export const CONDITIONS = [
  'running', 'loading', 'pending', 'waiting', 'standby', 'off_schedule', 'stopped', 'camera_off', 'failed',
] as const
export type TaskCondition = (typeof CONDITIONS)[number]

/** `model`: what looks now; `first`: the task that goes first; `code` and `message`: why it fails or waits. */
export interface TaskState {
  condition: TaskCondition
  since: string
  model: string
  provider: string
  pictures: number
  first: string
  code: string
  message: string
}

/** What people set. `model` empty: the site's; `schedule` and `schedule_id` (one of that name) null: always; `fps`, `min_score` null: the camera's own. */
export interface TaskIn {
  name: string
  camera: string
  model: string
  schedule: Schedule | null
  schedule_id: string | null
  priority: number
  fps: number | null
  min_score: number | null
}

export interface Task extends TaskIn {
  id: string
  started: boolean
  revision: number
  state: TaskState
}

export interface TaskFilter {
  search: string
  camera?: string | undefined
  condition?: TaskCondition | undefined
}

export const tasks = {
  list: (filter: TaskFilter, limit: number) => request<List<Task>>('GET', withQuery('/api/tasks', { ...filter, limit })),
  one: (task: string) => request<Task>('GET', `/api/tasks/${id(task)}`),
  create: (body: TaskIn & { started: boolean }) => request<Task>('POST', '/api/tasks', body),
  /** Fails where somebody has changed it since `revision`. */
  replace: (task: string, body: TaskIn, revision: number) =>
    request<Task>('PUT', `/api/tasks/${id(task)}`, { ...body, revision }),
  start: (task: string) => request<Task>('POST', `/api/tasks/${id(task)}/start`),
  stop: (task: string) => request<Task>('POST', `/api/tasks/${id(task)}/stop`),
  remove: (task: string) => request<void>('DELETE', `/api/tasks/${id(task)}`),
}
