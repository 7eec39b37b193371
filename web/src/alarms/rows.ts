import type { Alarm, AlarmFilter, AlarmRow, Intrusion } from '@/api/types'

const open = (alarm: Alarm): boolean => alarm.state === 'new' || alarm.state === 'acknowledged'

/** Whether a list with that filter shows the alarm. `me`: the account that asks. */
export function matches(alarm: Alarm, filter: AlarmFilter, me: string): boolean {
  const { camera, rule, level, kind, state, reason, assignee, from, to } = filter
  const wall = Date.parse(alarm.wall)
  const whose = alarm.assignee?.id ?? ''
  return (
    (!camera || alarm.camera === camera) &&
    (!rule || alarm.rule?.id === rule) &&
    (!level || alarm.level === level) &&
    (!kind || alarm.kind === kind) &&
    (!state || alarm.state === state) &&
    (!reason || alarm.reason === reason) &&
    (!assignee || whose === (assignee === 'me' ? me : assignee === 'none' ? '' : assignee)) &&
    (!from || wall >= Date.parse(from)) &&
    (!to || wall <= Date.parse(to))
  )
}

/** Newest first. */
const sorted = (rows: AlarmRow[]): AlarmRow[] =>
  rows.sort((a, b) => b.raised.localeCompare(a.raised) || b.id.localeCompare(a.id))

function alone(alarm: Alarm): Intrusion {
  const { group, wall, level, camera } = alarm
  return { id: group, count: 1, open: open(alarm) ? 1 : 0, first: wall, last: wall, level, cameras: [camera] }
}

/** An intrusion with one more alarm in it. */
function grown(intrusion: Intrusion, alarm: Alarm): Intrusion {
  return {
    ...intrusion,
    count: intrusion.count + 1,
    open: intrusion.open + (open(alarm) ? 1 : 0),
    last: alarm.wall > intrusion.last ? alarm.wall : intrusion.last,
    level: Math.min(intrusion.level, alarm.level),
    cameras: intrusion.cameras.includes(alarm.camera) ? intrusion.cameras : [...intrusion.cameras, alarm.camera],
  }
}

/**
 * The rows with an alarm that was pushed. A new one of an intrusion that is shown takes the place of its row and is
 * counted there; one that is known is replaced. `fresh`: it was raised just now, so that it is shown where it is not.
 */
export function withAlarm(rows: readonly AlarmRow[], alarm: Alarm, fresh: boolean, grouped: boolean): AlarmRow[] {
  const same = rows.find((row) => row.id === alarm.id)
  if (same) {
    const settled = (open(alarm) ? 1 : 0) - (open(same) ? 1 : 0)
    const intrusion = same.intrusion && { ...same.intrusion, open: same.intrusion.open + settled }
    return rows.map((row) => (row.id === alarm.id ? { ...alarm, intrusion } : row))
  }
  if (!fresh) return [...rows]
  if (!grouped) return sorted([{ ...alarm, intrusion: null }, ...rows])
  const row = rows.find((one) => one.intrusion && one.group === alarm.group)
  const others = rows.filter((one) => one !== row)
  return sorted([{ ...alarm, intrusion: row?.intrusion ? grown(row.intrusion, alarm) : alone(alarm) }, ...others])
}

/** The next page below what is shown, without doubles: what moved up meanwhile stays where it is. */
export function withOlder(rows: readonly AlarmRow[], older: readonly AlarmRow[]): AlarmRow[] {
  const known = new Set(rows.map((row) => row.id))
  const groups = new Set(rows.flatMap((row) => (row.intrusion ? [row.intrusion.id] : [])))
  const fresh = older.filter((row) => !known.has(row.id) && !(row.intrusion && groups.has(row.intrusion.id)))
  return [...rows, ...fresh]
}
