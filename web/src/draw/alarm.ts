import type { Alarm, AlarmKind, Point } from '@/api/types'
import type { Rect } from '@/draw/geometry'
import { INK, paintBox, paintDot, paintRule, paintTrail } from '@/draw/paint'

/** In the order in which they are offered. */
export const ALARM_KINDS: readonly AlarmKind[] = [
  'tripwire',
  'zone_enter',
  'zone_exit',
  'zone_inside',
  'fence',
  'loiter',
  'wrong_way',
  'count',
  'line_count',
  'left_object',
  'health',
]

/** How long after the crossing its box and point stay on the clip. */
const AFTERGLOW_S = 1.5

/** The part of the path walked until `relative` seconds after the crossing, its end interpolated. */
export function walked(path: Alarm['path'], relative: number): Point[] {
  const points: Point[] = []
  for (const [i, [time, x, y]] of path.entries()) {
    if (time <= relative) {
      points.push([x, y])
      continue
    }
    const before = path[i - 1]
    if (before) {
      const share = (relative - before[0]) / (time - before[0])
      points.push([before[1] + (x - before[1]) * share, before[2] + (y - before[2]) * share])
    }
    break
  }
  return points
}

/** Seconds into the clip at which the crossing happened, or null while there is no clip. */
export function crossingInClip(alarm: Alarm): number | null {
  if (!alarm.clip.start) return null
  return (Date.parse(alarm.wall) - Date.parse(alarm.clip.start)) / 1000
}

function paintCrossed(context: CanvasRenderingContext2D, alarm: Alarm, rect: Rect, lit: boolean): void {
  paintRule(context, alarm.rule, rect, lit ? { colour: INK.alarm } : {})
}

/** Everything that explains the alarm, over its snapshot. */
export function paintFinding(context: CanvasRenderingContext2D, alarm: Alarm, rect: Rect, label: string): void {
  paintCrossed(context, alarm, rect, true)
  paintTrail(context, alarm.path.map(([, x, y]) => [x, y] as Point), rect, INK.person)
  paintBox(context, alarm.box, rect, INK.alarm, label)
  paintDot(context, alarm.point, rect, INK.alarm)
}

/** The same along the clip, `relative` seconds from the crossing. */
export function paintMoment(
  context: CanvasRenderingContext2D,
  alarm: Alarm,
  rect: Rect,
  relative: number,
  label: string,
): void {
  const after = relative >= 0
  paintCrossed(context, alarm, rect, after && relative < AFTERGLOW_S)
  const begin = alarm.path[0]?.[0] ?? 0
  if (relative < begin || relative > AFTERGLOW_S) return
  const way = walked(alarm.path, Math.min(relative, 0))
  paintTrail(context, way, rect, INK.person)
  const last = way.at(-1)
  if (after) {
    if (relative < 0.35) paintBox(context, alarm.box, rect, INK.alarm, label)
    paintDot(context, alarm.point, rect, INK.alarm, 6)
  } else if (last) paintDot(context, last, rect, INK.person, 4)
}
