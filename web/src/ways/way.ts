import type { Way } from '@/api/seeing'
import type { Point } from '@/api/types'
import { distance, place, type Rect } from '@/draw/geometry'
import { INK, paintDot, paintLabel, paintLine, paintTrail } from '@/draw/paint'

/** Footage begins so long before what is looked for. */
export const BEFORE_MS = 3000

/** A place on a way, and when its object was there. */
export interface Spot {
  way: Way
  /** Shares of the picture. */
  at: Point
  /** Milliseconds since 1970. */
  time: number
}

export const keyOf = (way: Way): string => `${way.camera} ${way.epoch} ${way.track}`

export const inkOf = (label: string): string => (label === 'person' ? INK.person : INK.other)

/** How far towards `b` on a-b the point nearest to `at` lies, 0 to 1. */
function shareOn(at: Point, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  const length = dx * dx + dy * dy
  return length ? Math.min(1, Math.max(0, ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / length)) : 0
}

/** The nearest place of all ways within `reach` pixels of a position in the picture's box. */
export function spotAt(ways: readonly Way[], at: Point, rect: Rect, reach: number): Spot | null {
  let best: Spot | null = null
  let least = reach
  for (const way of ways) {
    const begin = Date.parse(way.start)
    for (let i = 0; i < way.path.length; i += 1) {
      const [since, x, y] = way.path[i]!
      const [after, u, v] = way.path[i + 1] ?? way.path[i]!
      const share = shareOn(at, place([x, y], rect), place([u, v], rect))
      const point: Point = [x + (u - x) * share, y + (v - y) * share]
      const far = distance(at, place(point, rect))
      if (far > least) continue
      least = far
      best = { way, at: point, time: begin + 1000 * (since + (after - since) * share) }
    }
  }
  return best
}

/** Where its object was at a moment (milliseconds since 1970); null before and after. */
export function placeAt(way: Way, time: number): Point | null {
  const since = (time - Date.parse(way.start)) / 1000
  const next = way.path.findIndex(([at]) => at >= since)
  if (next < 0 || since < 0) return null
  const [at, x, y] = way.path[next]!
  const [before, u, v] = way.path[next - 1] ?? way.path[next]!
  const share = at > before ? (since - before) / (at - before) : 1
  return [u + (x - u) * share, v + (y - v) * share]
}

const points = (way: Way): Point[] => way.path.map(([, x, y]) => [x, y])

/** Finished ways, thin; where each began there is a dot. */
export function paintPast(context: CanvasRenderingContext2D, ways: readonly Way[], rect: Rect, faint: boolean): void {
  context.save()
  context.globalAlpha = faint ? 0.3 : 0.75
  for (const way of ways) {
    paintLine(context, points(way).map((point) => place(point, rect)), inkOf(way.label), 1.5)
    const first = way.path[0]
    if (first) paintDot(context, [first[1], first[2]], rect, inkOf(way.label), 2.5)
  }
  context.restore()
}

/** The one that is meant, thick. */
export function paintChosen(context: CanvasRenderingContext2D, way: Way, rect: Rect): void {
  paintLine(context, points(way).map((point) => place(point, rect)), '#fff', 5)
  paintLine(context, points(way).map((point) => place(point, rect)), inkOf(way.label), 3)
  const [first, last] = [way.path[0], way.path.at(-1)]
  if (first) paintDot(context, [first[1], first[2]], rect, inkOf(way.label), 4)
  if (last) paintDot(context, [last[1], last[2]], rect, '#fff', 4)
}

/** The way that somebody has come so far, with what is said of them. */
export function paintLive(context: CanvasRenderingContext2D, way: Way, rect: Rect, words: string): void {
  paintTrail(context, points(way), rect, INK.rule)
  const last = way.path.at(-1)
  if (!last) return
  paintDot(context, [last[1], last[2]], rect, INK.rule, 5)
  const [x, y] = place([last[1], last[2]], rect)
  paintLabel(context, words, x + 8, y - 2, INK.rule)
}
