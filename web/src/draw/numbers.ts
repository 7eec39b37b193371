import type { Rule, RuleKind } from '@/api/types'

interface Spec {
  min: number
  max: number
  step: number
  precision?: number
  /** What an emptied field means, where that is not 0. */
  empty?: number
}

const DAY_S = 86_400
const seconds = (min = 0, max = DAY_S): Spec => ({ min, max, step: 1, precision: 1, empty: min })
const amountOf = (max: number, step: number): Spec => ({ min: 0, max, step, precision: 2 })

/** The numbers of rules as the form offers them; the server has the last word. */
export const NUMBERS = {
  within_s: { ...seconds(0.5, 3600), empty: 20 },
  depth: amountOf(1000, 0.1),
  stay_s: { ...seconds(), empty: 30 },
  every_s: seconds(),
  radius: amountOf(1000, 0.5),
  forgive_s: { ...seconds(0, 600), empty: 3 },
  tolerance_deg: { min: 5, max: 89, step: 5, empty: 60 },
  distance: { ...amountOf(1000, 0.1), min: 0.01, empty: 1 },
  least_s: seconds(0, 3600),
  at_least: { min: 1, max: 1000, step: 1, empty: 1 },
  at_most: { min: 0, max: 1000, step: 1 },
  for_s: seconds(),
  each: { min: 0, max: 1_000_000, step: 1 },
  settle_s: { ...seconds(1, 3600), empty: 10 },
  still: { min: 0.05, max: 1, step: 0.05, precision: 2, empty: 0.25 },
  min_height: amountOf(100_000, 0.05),
  max_height: amountOf(100_000, 0.05),
  min_speed: amountOf(1000, 0.1),
  max_speed: amountOf(1000, 0.1),
  min_hits: { min: 1, max: 100, step: 1, empty: 3 },
  of_pictures: { min: 0, max: 100, step: 1 },
  min_score: { min: 0, max: 1, step: 0.05, precision: 2 },
  cooldown_s: seconds(),
  rule_cooldown_s: seconds(),
  band: { min: 0, max: 1, step: 0.01, precision: 2 },
  band_px: { min: 0.5, max: 100, step: 0.5, precision: 1, empty: 1.5 },
  rearm_after_s: seconds(0, 30 * DAY_S),
} satisfies Record<string, Spec>

export type NumberField = keyof typeof NUMBERS

export function spec(field: NumberField): Spec {
  return NUMBERS[field]
}

export function amount(rule: Rule, field: NumberField): number {
  const value = (rule as unknown as Record<string, unknown>)[field]
  return typeof value === 'number' ? value : 0
}

/** What a kind asks besides its drawing, and the unit's field where it has one. */
export const OF_KIND: Record<RuleKind, { field: NumberField; unit?: 'depth_unit' | 'radius_unit' | 'distance_unit' }[]> = {
  tripwire: [],
  zone: [],
  fence: [{ field: 'within_s' }],
  loiter: [{ field: 'stay_s' }, { field: 'radius', unit: 'radius_unit' }, { field: 'forgive_s' }, { field: 'every_s' }],
  wrong_way: [{ field: 'distance', unit: 'distance_unit' }, { field: 'least_s' }, { field: 'tolerance_deg' }],
  count: [{ field: 'for_s' }, { field: 'forgive_s' }, { field: 'every_s' }],
  line_count: [{ field: 'each' }, { field: 'every_s' }],
  left_object: [{ field: 'stay_s' }, { field: 'settle_s' }, { field: 'forgive_s' }, { field: 'still' }],
}
