import type { AlarmFilter, AlarmState } from '@/api/types'

export const ALARM_STATES: readonly AlarmState[] = ['new', 'acknowledged', 'confirmed', 'dismissed', 'closed']
const TEXTS = ['camera', 'rule', 'kind', 'reason', 'assignee', 'from', 'to'] as const

/** The filter that an address names: other pages lead here with one. What makes no sense is left out. */
export function filterOf(query: Record<string, unknown>): AlarmFilter {
  const filter: AlarmFilter = {}
  for (const name of TEXTS) {
    const value = query[name]
    if (typeof value === 'string' && value) filter[name] = value
  }
  const level = Number(query.level)
  if ([1, 2, 3, 4].includes(level)) filter.level = level
  const state = ALARM_STATES.find((one) => one === query.state)
  if (state) filter.state = state
  return filter
}
