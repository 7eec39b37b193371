import { describe, expect, it } from 'vitest'

import { renewAt } from '@/stores/renewal'

const MINUTE = 60_000

describe('a token', () => {
  it('is renewed a minute to a minute and a half before it ends', () => {
    expect(renewAt(15 * MINUTE, 0, 0)).toBe(14 * MINUTE)
    expect(renewAt(15 * MINUTE, 0, 1)).toBe(13.5 * MINUTE)
  })

  it('of a minute is renewed about half way', () => {
    for (const chance of [0, 0.5, 1]) {
      const wait = renewAt(MINUTE, 0, chance)
      expect(wait).toBeGreaterThan(0.39 * MINUTE)
      expect(wait).toBeLessThan(0.61 * MINUTE)
    }
  })

  it('that has ended is renewed at once', () => {
    expect(renewAt(0, 5 * MINUTE, 0.5)).toBe(0)
  })

  it('never waits longer than a timer can', () => {
    expect(renewAt(1e12, 0, 0)).toBe(2 ** 31 - 1)
  })
})
