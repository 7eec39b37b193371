import type { Box, LineDirection, Point, Rule } from '@/api/types'
import { across, halfWay, place, type Rect } from '@/draw/geometry'

export const INK = {
  rule: '#ffc24b',
  inner: '#ff8a5c',
  zone: '#ffc24b',
  person: '#6fd6ff',
  other: '#a8b6ff',
  alarm: '#ff5a52',
  halo: 'rgba(0, 0, 0, 0.55)',
} as const

const FONT = '600 11px system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif'

type Context = CanvasRenderingContext2D

/** Fits the canvas to its element at the screen's resolution and clears it; the context then counts CSS pixels. */
export function prepare(canvas: HTMLCanvasElement): { context: Context; width: number; height: number } | null {
  const { clientWidth: width, clientHeight: height } = canvas
  const context = canvas.getContext('2d')
  if (!context || !width || !height) return null
  const ratio = Math.min(window.devicePixelRatio || 1, 2)
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w
    canvas.height = h
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  context.lineJoin = 'round'
  context.lineCap = 'round'
  return { context, width, height }
}

function trace(context: Context, points: readonly Point[], closed = false): void {
  context.beginPath()
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)))
  if (closed) context.closePath()
}

/** A line with a dark halo, readable on any picture. */
export function paintLine(context: Context, points: readonly Point[], colour: string, width = 2, closed = false): void {
  if (points.length < 2) return
  trace(context, points, closed)
  context.strokeStyle = INK.halo
  context.lineWidth = width + 2
  context.stroke()
  context.strokeStyle = colour
  context.lineWidth = width
  context.stroke()
}

export function paintArrow(context: Context, from: Point, direction: Point, colour: string, length = 20): void {
  const tip: Point = [from[0] + direction[0] * length, from[1] + direction[1] * length]
  const wing = length * 0.36
  const side: Point = [-direction[1], direction[0]]
  const back: Point = [tip[0] - direction[0] * wing, tip[1] - direction[1] * wing]
  paintLine(context, [from, back], colour, 2)
  context.beginPath()
  context.moveTo(tip[0] + direction[0] * 2, tip[1] + direction[1] * 2)
  context.lineTo(back[0] + side[0] * wing * 0.75, back[1] + side[1] * wing * 0.75)
  context.lineTo(back[0] - side[0] * wing * 0.75, back[1] - side[1] * wing * 0.75)
  context.closePath()
  context.fillStyle = colour
  context.strokeStyle = INK.halo
  context.lineWidth = 1
  context.fill()
  context.stroke()
}

/** The way that is allowed. */
function paintWay(context: Context, way: readonly Point[], colour: string): void {
  const [from, to] = way
  if (!from || !to) return
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1
  const direction: Point = [(to[0] - from[0]) / length, (to[1] - from[1]) / length]
  paintLine(context, [from, to], colour)
  paintArrow(context, [to[0] - direction[0] * 18, to[1] - direction[1] * 18], direction, colour, 18)
}

/** The arrow (or two) at the middle of a line that shows which way across it counts. */
export function paintDirection(
  context: Context,
  line: readonly Point[],
  direction: LineDirection | 'any',
  colour: string,
): void {
  if (line.length < 2) return
  const { point, segment } = halfWay(line)
  const [a, b] = [line[segment]!, line[segment + 1]!]
  const ways: LineDirection[] = direction === 'any' ? ['left_to_right', 'right_to_left'] : [direction]
  for (const way of ways) paintArrow(context, point, across(a, b, way), colour)
}

export function paintLabel(context: Context, text: string, x: number, y: number, colour: string, ink = '#0b0f14'): void {
  context.font = FONT
  context.textBaseline = 'middle'
  const width = context.measureText(text).width + 8
  const left = Math.max(1, Math.min(x, context.canvas.clientWidth - width - 1))
  const top = Math.max(1, y - 16)
  context.fillStyle = colour
  context.beginPath()
  context.roundRect(left, top, width, 15, 3)
  context.fill()
  context.fillStyle = ink
  context.fillText(text, left + 4, top + 8)
}

export interface RulePaint {
  names?: boolean
  faint?: boolean
  colour?: string
  marks?: { outer: string; inner: string }
}

/** A rule as it stands on the picture, with its arrows; a fence's inner line has its own colour. */
export function paintRule(context: Context, rule: Rule, rect: Rect, options: RulePaint = {}): void {
  context.save()
  context.globalAlpha = options.faint ? 0.65 : 0.95
  const colour = options.colour ?? INK.rule
  const at = (points: readonly Point[]): Point[] => points.map((point) => place(point, rect))
  let label: Point | undefined
  if (rule.kind === 'tripwire' || rule.kind === 'line_count') {
    const line = at(rule.line)
    if (rule.kind === 'line_count') context.setLineDash([9, 6])
    paintLine(context, line, colour)
    context.setLineDash([])
    paintDirection(context, line, rule.direction, colour)
    label = line[0]
  } else if (rule.kind === 'fence') {
    const [outer, inner] = [at(rule.outer), at(rule.inner)]
    const second = options.colour ?? INK.inner
    paintLine(context, outer, colour)
    for (const line of rule.between ?? []) paintLine(context, at(line), second)
    paintLine(context, inner, second)
    paintDirection(context, outer, rule.direction, colour)
    paintDirection(context, inner, rule.direction, second)
    label = outer[0]
    if (options.marks) {
      if (outer[0]) paintLabel(context, options.marks.outer, outer[0][0], outer[0][1] - 4, colour)
      if (inner[0]) paintLabel(context, options.marks.inner, inner[0][0], inner[0][1] - 4, second)
      label = undefined
    }
  } else {
    const polygon = at(rule.polygon)
    trace(context, polygon, true)
    context.fillStyle = options.colour ?? INK.zone
    context.globalAlpha *= 0.14
    context.fill()
    context.globalAlpha = options.faint ? 0.65 : 0.95
    paintLine(context, polygon, options.colour ?? INK.zone, 2, true)
    if (rule.kind === 'wrong_way') paintWay(context, at(rule.way), options.colour ?? INK.inner)
    label = polygon[0]
  }
  if (options.names && label) paintLabel(context, rule.name, label[0], label[1] - 4, colour)
  context.restore()
}

export function paintTrail(context: Context, trail: readonly Point[], rect: Rect, colour: string): void {
  if (trail.length < 2) return
  const points = trail.map((point) => place(point, rect))
  context.save()
  context.strokeStyle = colour
  context.lineWidth = 2
  for (let i = 1; i < points.length; i += 1) {
    context.globalAlpha = 0.15 + 0.7 * (i / points.length)
    trace(context, [points[i - 1]!, points[i]!])
    context.stroke()
  }
  context.restore()
}

/** A box with light corners; dashed where it is only predicted. */
export function paintBox(context: Context, box: Box, rect: Rect, colour: string, label = '', seen = true): void {
  const [x1, y1] = place([box[0], box[1]], rect)
  const [x2, y2] = place([box[2], box[3]], rect)
  context.save()
  if (!seen) context.setLineDash([4, 4])
  context.strokeStyle = INK.halo
  context.lineWidth = 3.5
  context.strokeRect(x1, y1, x2 - x1, y2 - y1)
  context.strokeStyle = colour
  context.lineWidth = 1.75
  context.strokeRect(x1, y1, x2 - x1, y2 - y1)
  context.restore()
  if (label) paintLabel(context, label, x1 - 1, y1, colour)
}

export function paintDot(context: Context, point: Point, rect: Rect, colour: string, radius = 5): void {
  const [x, y] = place(point, rect)
  context.beginPath()
  context.arc(x, y, radius, 0, Math.PI * 2)
  context.fillStyle = colour
  context.fill()
  context.strokeStyle = '#fff'
  context.lineWidth = 1.5
  context.stroke()
}
