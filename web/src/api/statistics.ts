import { download, request, withQuery } from '@/api/http'

/** From an alarm's raising to its first answer. Null: more than a day, or nothing was answered. */
export interface AnswerTimes {
  answered: number
  mean_s: number | null
  median_within_s: number | null
  p95_within_s: number | null
  /** How many were answered within so many seconds. */
  within: Record<string, number>
}

/** One camera, rule, kind, level or reason. `open`: not decided yet. */
export interface SumRow {
  id: string
  name: string
  count: number
  open: number
  confirmed: number
  dismissed: number
  answer: AnswerTimes
}

export interface AlarmSums {
  from: string
  to: string
  timezone: string
  total: number
  open: number
  confirmed: number
  dismissed: number
  answer: AnswerTimes
  by_hour: number[]
  /** From Monday on. */
  by_weekday: number[]
  by_day: { day: string; count: number }[]
  by_camera: SumRow[]
  by_rule: SumRow[]
  by_kind: SumRow[]
  by_level: SumRow[]
  by_reason: SumRow[]
}

/** Shares are 0 to 1; null where nothing was asked of the camera. */
export interface CameraSum {
  id: string
  name: string
  availability: number | null
  completeness: number | null
  down_s: number
  seconds: Record<string, number>
  impaired_s: Record<string, number>
}

export interface CameraSums {
  from: string
  to: string
  items: CameraSum[]
  total: number
  availability: number | null
  completeness: number | null
}

export interface Suggestion {
  score: number
  spared: number
  dismissed: number
  confirmed: number
}

export interface RuleVerdicts {
  rule: string
  rule_name: string
  camera: string
  camera_name: string
  confirmed: number
  wrongly: number
  otherwise: number
  /** Null where the rule is gone. */
  min_score: number | null
  suggestion: Suggestion | null
}

export interface Asked {
  from: string
  to: string
  camera?: string
  group?: string
}

export type Sheet = 'csv' | 'xlsx'

const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

export const statistics = {
  alarms: (asked: Asked, signal: AbortSignal) =>
    request<AlarmSums>('GET', withQuery('/api/statistics/alarms', { ...asked, timezone: zone() }), undefined, signal),
  cameras: (asked: Asked, signal: AbortSignal) =>
    request<CameraSums>('GET', withQuery('/api/statistics/cameras', { ...asked }), undefined, signal),
  verdicts: (asked: Omit<Asked, 'to'>, signal: AbortSignal) =>
    request<{ items: RuleVerdicts[] }>('GET', withQuery('/api/statistics/verdicts', { ...asked }), undefined, signal),
  save: (what: 'alarms' | 'cameras', asked: Asked, format: Sheet) => {
    const query = { ...asked, format, ...(what === 'alarms' ? { timezone: zone() } : {}) }
    return download(withQuery(`/api/statistics/${what}/export`, query), `${what}-statistics.${format}`)
  },
}
