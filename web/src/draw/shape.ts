import type { Point, Rule } from '@/api/types'
import { distance, inside, middle, place, toSegment, unplace, type Rect } from '@/draw/geometry'

export type PartName = 'line' | 'polygon' | 'outer' | 'inner' | 'way'

/** One line or polygon of a rule, as it is edited. */
export interface Part {
  name: PartName
  points: Point[]
  closed: boolean
  least: number
  most: number
}

export const MOST_POINTS = 64

/** What is drawn, in that order. A fence that goes by depth has no inner line. */
export function partNames(rule: Rule): PartName[] {
  switch (rule.kind) {
    case 'tripwire':
    case 'line_count':
      return ['line']
    case 'fence':
      return rule.depth > 0 && !rule.inner.length ? ['outer'] : ['outer', 'inner']
    case 'wrong_way':
      return ['polygon', 'way']
    default:
      return ['polygon']
  }
}

export function partOf(rule: Rule, name: PartName): Part {
  const closed = name === 'polygon'
  const points = (rule as unknown as Record<PartName, Point[]>)[name]
  return { name, points, closed, least: closed ? 3 : 2, most: name === 'way' ? 2 : MOST_POINTS }
}

export function partsOf(rule: Rule): Part[] {
  return partNames(rule).map((name) => partOf(rule, name))
}

export function withPart(rule: Rule, name: PartName, points: Point[]): Rule {
  return { ...rule, [name]: points } as Rule
}

/** The first part that still lacks points, or null when the rule is drawn. */
export function unfinished(rule: Rule): Part | null {
  return partsOf(rule).find((part) => part.points.length < part.least) ?? null
}

export type Grip =
  | { kind: 'point'; part: PartName; index: number }
  | { kind: 'middle'; part: PartName; index: number }
  | { kind: 'whole'; part: PartName }

/** Neighbouring pairs of a part's points, by the index of the first. */
export function edges(part: Part): { index: number; a: Point; b: Point }[] {
  const count = part.points.length
  const pairs = part.closed && count > 2 ? count : count - 1
  return Array.from({ length: Math.max(0, pairs) }, (_, index) => ({
    index,
    a: part.points[index]!,
    b: part.points[(index + 1) % count]!,
  }))
}

/** What lies under the pointer: points before midpoints before the shape itself. `reach` is in pixels. */
export function gripAt(rule: Rule, pointer: Point, rect: Rect, reach: number): Grip | null {
  const parts = partsOf(rule)
  for (const part of parts) {
    for (const [index, point] of part.points.entries()) {
      if (distance(place(point, rect), pointer) <= reach) return { kind: 'point', part: part.name, index }
    }
  }
  for (const part of parts) {
    for (const { index, a, b } of edges(part)) {
      const [from, to] = [place(a, rect), place(b, rect)]
      const room = part.points.length < part.most
      if (room && distance(from, to) > reach * 3 && distance(middle(from, to), pointer) <= reach) {
        return { kind: 'middle', part: part.name, index }
      }
    }
  }
  return hits(rule, pointer, rect, reach * 0.7)
}

/** Whether the pointer is on the rule's lines or in its zone. */
export function hits(rule: Rule, pointer: Point, rect: Rect, reach: number): Grip | null {
  for (const part of partsOf(rule)) {
    const onEdge = edges(part).some(({ a, b }) => toSegment(pointer, place(a, rect), place(b, rect)) <= reach)
    const within = part.closed && part.points.length > 2 && inside(unplace(pointer, rect), part.points)
    if (onEdge || within) return { kind: 'whole', part: part.name }
  }
  return null
}

const round = (value: number): number => Math.round(value * 1e5) / 1e5

export function tidy(point: Point): Point {
  return [round(point[0]), round(point[1])]
}

export function movePoint(points: readonly Point[], index: number, to: Point): Point[] {
  return points.map((point, i) => (i === index ? tidy(to) : point))
}

export function insertPoint(points: readonly Point[], after: number, point: Point): Point[] {
  return [...points.slice(0, after + 1), tidy(point), ...points.slice(after + 1)]
}

export function removePoint(points: readonly Point[], index: number): Point[] {
  return points.filter((_, i) => i !== index)
}

/** Moves a whole shape, stopping at the picture's edges without bending it. */
export function shift(points: readonly Point[], dx: number, dy: number): Point[] {
  const limit = (axis: 0 | 1, by: number): number => {
    const values = points.map((point) => point[axis])
    return Math.min(1 - Math.max(...values), Math.max(-Math.min(...values), by))
  }
  const [x, y] = [limit(0, dx), limit(1, dy)]
  return points.map((point) => tidy([point[0] + x, point[1] + y]))
}
