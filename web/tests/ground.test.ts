import { describe, expect, it } from 'vitest'

import type { GroundPoint, Point } from '@/api/types'
import { complete, gridOf, gridStep, inverse, toSite } from '@/draw/ground'

/** Seen from above: 8 m wide, 6 m deep, its upper edge the north. */
const ABOVE = { matrix: [8, 0, 0, 0, -6, 6, 0, 0, 1], error_m: 0, missed_m: [] }
/** A camera that looks along the ground: the horizon lies at y = 0.25. */
const ALONG = { matrix: [4, 0, -2, 0, 0, 1, 0, 4 / 3, -1 / 3], error_m: 0, missed_m: [] }
const at = (fit: typeof ABOVE, ...places: Point[]): GroundPoint[] =>
  places.map((picture) => ({ picture, site: toSite(fit, picture) }))

describe('the ground', () => {
  it('has metres for places in the picture', () => {
    expect(toSite(ABOVE, [0.5, 0.5])).toEqual([4, 3])
    expect(toSite(ALONG, [0.5, 1])).toEqual([0, 1])
  })

  it('is taken back by the inverse', () => {
    const back = { ...ALONG, matrix: inverse(ALONG.matrix) }
    for (const place of [[0.1, 0.9], [0.7, 0.4], [0.5, 0.6]] as Point[]) {
      const again = toSite(back, toSite(ALONG, place))
      expect(again[0]).toBeCloseTo(place[0])
      expect(again[1]).toBeCloseTo(place[1])
    }
  })
})

describe('the grid', () => {
  it('has a round distance and never too many lines', () => {
    expect(gridStep(8, 8)).toBe(1)
    expect(gridStep(9, 27)).toBe(2)
    expect(gridStep(100, 80)).toBe(10)
    for (const [across, along] of [[1, 900], [4, 4000], [0.7, 0.7], [60, 8]] as const) {
      expect(Math.max(across, along) / gridStep(across, along)).toBeLessThanOrEqual(48)
    }
  })

  it('lies where its metres say, within the picture', () => {
    const grid = gridOf(ABOVE, at(ABOVE, [0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]))
    expect(grid.step).toBe(1)
    const whole = grid.lines.filter((line) => line.axis === 'x').map((line) => line.metres)
    expect(whole).toEqual(expect.arrayContaining([1, 2, 3, 4, 5, 6, 7]))
    for (const line of grid.lines) {
      for (const point of line.pieces.flat()) {
        expect(toSite(ABOVE, point)[line.axis === 'x' ? 0 : 1]).toBeCloseTo(line.metres)
        expect(Math.min(...point)).toBeGreaterThanOrEqual(0)
        expect(Math.max(...point)).toBeLessThanOrEqual(1)
      }
    }
  })

  it('stops well before the horizon', () => {
    const grid = gridOf(ALONG, at(ALONG, [0.2, 0.95], [0.8, 0.95], [0.4, 0.45], [0.6, 0.45]))
    const rows = grid.lines.flatMap((line) => line.pieces.flat().map(([, y]) => y))
    expect(rows.length).toBeGreaterThan(50)
    expect(Math.min(...rows)).toBeGreaterThan(0.3)
  })
})

describe('marks', () => {
  it('make points once there are four, each with its metres', () => {
    const marks = [0.1, 0.2, 0.3, 0.4].map((x) => ({ picture: [x, x] as Point, x: 1, y: 0 }))
    expect(complete(marks)?.[0]).toEqual({ picture: [0.1, 0.1], site: [1, 0] })
    expect(complete(marks.slice(1))).toBeNull()
    expect(complete([...marks, { picture: [0, 0], x: 0, y: null }])).toBeNull()
  })
})
