import type { GroundFit } from '@/api/seeing'
import type { GroundPoint, Point } from '@/api/types'

/** As the server has it: metres per pixel are believed up to three times those of the farthest calibrated point. */
const COARSEST = 3
const STEPS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]
const LINES = 12
/** The grid reaches so far beyond the calibrated points, as a share of what they span. */
const BEYOND = 0.25
const PIECES = 48

type Matrix = readonly number[]

/** A line of the grid: its pieces in shares of the picture, and where on the plan it lies. */
export interface GridLine {
  axis: 'x' | 'y'
  metres: number
  pieces: Point[][]
}

export interface Grid {
  /** Metres between two lines. */
  step: number
  lines: GridLine[]
}

function apply(m: Matrix, [x, y]: Point): { at: Point; depth: number } {
  const depth = m[6]! * x + m[7]! * y + m[8]!
  return { at: [(m[0]! * x + m[1]! * y + m[2]!) / depth, (m[3]! * x + m[4]! * y + m[5]!) / depth], depth }
}

/** The other way round: by the adjugate, which is the inverse up to a scale that a homography does not feel. */
export function inverse(m: Matrix): number[] {
  const [a, b, c, d, e, f, g, h, i] = m as [number, number, number, number, number, number, number, number, number]
  return [
    e * i - f * h, c * h - b * i, b * f - c * e,
    f * g - d * i, a * i - c * g, c * d - a * f,
    d * h - e * g, b * g - a * h, a * e - b * d,
  ]
}

/** Metres on the plan of a place in the picture. */
export function toSite(fit: GroundFit, at: Point): Point {
  return apply(fit.matrix, at).at
}

/** Metres between two lines: about a dozen each way over a ground of that size, and never many more one way. */
export function gridStep(across: number, along: number): number {
  const span = Math.max(Math.sqrt(across * along), Math.max(across, along) / 4)
  return STEPS.find((step) => span / step <= LINES) ?? STEPS.at(-1)!
}

/** A metre grid over the ground as the picture shows it: within it, and no farther than the ground is known. */
export function gridOf(fit: GroundFit, points: readonly GroundPoint[]): Grid {
  const least = Math.min(...points.map((point) => apply(fit.matrix, point.picture).depth)) / COARSEST
  const back = inverse(fit.matrix)
  const axes = ([0, 1] as const).map((axis) => {
    const values = points.map((point) => point.site[axis])
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return { low: low - (high - low) * BEYOND, high: high + (high - low) * BEYOND }
  })
  const [across, along] = [axes[0]!, axes[1]!]
  const step = gridStep(across.high - across.low, along.high - along.low)

  function trace(from: Point, to: Point): Point[][] {
    const pieces: Point[][] = []
    let piece: Point[] = []
    for (let i = 0; i <= PIECES; i += 1) {
      const share = i / PIECES
      const { at } = apply(back, [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share])
      const shown = at.every((value) => value >= 0 && value <= 1) && apply(fit.matrix, at).depth >= least
      if (shown) piece.push(at)
      if ((!shown || i === PIECES) && piece.length) {
        if (piece.length > 1) pieces.push(piece)
        piece = []
      }
    }
    return pieces
  }

  const lines: GridLine[] = []
  for (let x = Math.ceil(across.low / step) * step; x <= across.high; x += step) {
    lines.push({ axis: 'x', metres: x, pieces: trace([x, along.low], [x, along.high]) })
  }
  for (let y = Math.ceil(along.low / step) * step; y <= along.high; y += step) {
    lines.push({ axis: 'y', metres: y, pieces: trace([across.low, y], [across.high, y]) })
  }
  return { step, lines: lines.filter((line) => line.pieces.length) }
}

/** A point as it is being entered: metres may still be missing. */
export interface Mark {
  picture: Point
  x: number | null
  y: number | null
}

export const FEWEST = 4
export const MOST = 32

/** The marks that can be calibrated with, or null while some lack their metres or there are too few. */
export function complete(marks: readonly Mark[]): GroundPoint[] | null {
  const points = marks.flatMap(({ picture, x, y }) => (x === null || y === null ? [] : [{ picture, site: [x, y] as Point }]))
  return points.length === marks.length && points.length >= FEWEST ? points : null
}
