import { describe, expect, it } from 'vitest'

import type { Way } from '@/api/seeing'
import { placeAt, spotAt } from '@/ways/way'

const BEGIN = Date.parse('2026-05-04T21:14:07.000Z')
const way = (track: number, path: Way['path'], label = 'person'): Way => ({
  camera: 'gate',
  epoch: 1,
  track,
  label,
  score: 0.9,
  hits: 10,
  start: new Date(BEGIN).toISOString(),
  end: new Date(BEGIN + 1000 * path.at(-1)![0]).toISOString(),
  path,
})
const rect = { x: 10, y: 20, width: 1000, height: 500 }
const across = way(1, [[0, 0.1, 0.5], [8, 0.9, 0.5]])
const down = way(2, [[0, 0.5, 0.1], [2, 0.5, 0.3], [4, 0.5, 0.9]])

describe('a click on ways', () => {
  it('means the moment at which the object was there', () => {
    // Half-way of the first: 4 seconds after its beginning.
    const spot = spotAt([across], [510, 275], rect, 12)
    expect(spot?.way.track).toBe(1)
    expect(spot?.at[0]).toBeCloseTo(0.5)
    expect(spot?.time).toBeCloseTo(BEGIN + 4000)
  })

  it('means the nearest of several', () => {
    expect(spotAt([across, down], [510, 200], rect, 12)?.way.track).toBe(2)
    expect(spotAt([across, down], [310, 272], rect, 12)?.way.track).toBe(1)
  })

  it('means nothing where none is near', () => {
    expect(spotAt([across, down], [700, 400], rect, 12)).toBeNull()
    expect(spotAt([across], [510, 283], rect, 12)).toBeNull()
    expect(spotAt([], [510, 270], rect, 12)).toBeNull()
  })

  it('finds somebody who stood still', () => {
    const still = way(3, [[0, 0.5, 0.5]])
    expect(spotAt([still], [512, 272], rect, 12)?.time).toBe(BEGIN)
  })

  it('agrees with where the object was then, anywhere along a way', () => {
    for (let x = 510, y = 70; y <= 470; y += 10) {
      const spot = spotAt([down], [x, y], rect, 1)!
      const back = placeAt(down, spot.time)!
      expect(back[0]).toBeCloseTo(spot.at[0], 6)
      expect(back[1]).toBeCloseTo(spot.at[1], 4)
    }
  })
})

describe('where somebody was', () => {
  it('is not known before and after the way', () => {
    expect(placeAt(across, BEGIN - 1)).toBeNull()
    expect(placeAt(across, BEGIN + 8001)).toBeNull()
  })
})
