import type { LineDirection, Point } from '@/api/types'

export interface Rect {
  x: number
  y: number
  width: number
  height: number
}

/** Where a picture lies inside a box that shows it whole (`object-fit: contain`). */
export function contain(pictureWidth: number, pictureHeight: number, width: number, height: number): Rect {
  if (!(pictureWidth > 0 && pictureHeight > 0 && width > 0 && height > 0)) return { x: 0, y: 0, width, height }
  const scale = Math.min(width / pictureWidth, height / pictureHeight)
  const shown = { width: pictureWidth * scale, height: pictureHeight * scale }
  return { x: (width - shown.width) / 2, y: (height - shown.height) / 2, ...shown }
}

/** From the picture's 0..1 to pixels of the box. */
export function place(point: Point, rect: Rect): Point {
  return [rect.x + point[0] * rect.width, rect.y + point[1] * rect.height]
}

/** From pixels of the box to the picture's 0..1, kept inside it. */
export function unplace(point: Point, rect: Rect): Point {
  const clamp = (value: number): number => Math.min(1, Math.max(0, value))
  return [clamp((point[0] - rect.x) / rect.width), clamp((point[1] - rect.y) / rect.height)]
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1])
}

export function middle(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]
}

/** Distance of a point from the segment a-b. */
export function toSegment(point: Point, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  const length = dx * dx + dy * dy
  const share = length ? Math.min(1, Math.max(0, ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / length)) : 0
  return distance(point, [a[0] + dx * share, a[1] + dy * share])
}

export function inside(point: Point, polygon: readonly Point[]): boolean {
  let within = false
  let previous = polygon.at(-1)
  for (const current of polygon) {
    if (previous && current[1] > point[1] !== previous[1] > point[1]) {
      const reach = ((previous[0] - current[0]) * (point[1] - current[1])) / (previous[1] - current[1]) + current[0]
      if (point[0] < reach) within = !within
    }
    previous = current
  }
  return within
}

/** The point half-way along a line of pixels, and the index of its segment. */
export function halfWay(line: readonly Point[]): { point: Point; segment: number } {
  const lengths = line.slice(1).map((point, i) => distance(line[i]!, point))
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2
  for (const [i, length] of lengths.entries()) {
    if (left <= length && length > 0) {
      const [a, b] = [line[i]!, line[i + 1]!]
      const share = left / length
      return { point: [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share], segment: i }
    }
    left -= length
  }
  return { point: line[0] ?? [0, 0], segment: 0 }
}

/**
 * Unit vector across the line from `a` to `b`, in pixels (y down): left and right are those of somebody who walks
 * from `a` to `b`, as the rules on the server have it.
 */
export function across(a: Point, b: Point, direction: LineDirection): Point {
  const length = distance(a, b) || 1
  const right: Point = [-(b[1] - a[1]) / length, (b[0] - a[0]) / length]
  return direction === 'left_to_right' ? right : [-right[0] + 0, -right[1] + 0]
}

export function opposite(direction: LineDirection): LineDirection {
  return direction === 'left_to_right' ? 'right_to_left' : 'left_to_right'
}
