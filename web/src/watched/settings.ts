import type { Ailment, Analysis, Doubt } from '@/api/types'

/** The parts of the form, in the order of its tabs. */
export const PARTS = ['analysis', 'doubts', 'health'] as const
export type Part = (typeof PARTS)[number]

export const DOUBTS: readonly Doubt[] = ['still', 'sway', 'weather', 'light', 'headlights', 'animal', 'size', 'speed']
/** The gravest first. */
export const AILMENTS: readonly Ailment[] = ['no_signal', 'frozen', 'dark', 'covered', 'glare', 'moved', 'blurred']

/** Where the form says what the server finds wrong with a field of an analysis. */
const PLACES: Partial<Record<string, Part>> = { fps: 'analysis', min_score: 'analysis', 'health.level': 'health' }

/** The part that shows a field of the server, and its name there; null where it is to be told above all. */
export function placeOf(field: string): { part: Part; name: string } | null {
  const name = field.replace(/^analysis\./, '')
  const part = PLACES[name]
  return part ? { part, name } : null
}

/** Pictures a second that can be set; what a camera has already stays possible. */
export function fpsRange(saved: number): { min: number; max: number } {
  return { min: Math.min(0.5, saved), max: Math.max(30, saved) }
}

/** The list of what is ignored, once `one` is wanted or not. */
export function ignoring<T>(ignored: readonly T[], one: T, wanted: boolean): T[] {
  const others = ignored.filter((other) => other !== one)
  return wanted ? others : [...others, one]
}

/** What somebody changed from `before` to `mine`, upon what others have made of it by now. */
export function merged(before: Analysis, mine: Analysis, now: Analysis): Analysis {
  return {
    ...changed(before, mine, now),
    doubts: {
      ...changed(before.doubts, mine.doubts, now.doubts),
      ignored: mergedList(before.doubts.ignored, mine.doubts.ignored, now.doubts.ignored),
    },
    health: {
      ...changed(before.health, mine.health, now.health),
      ignored: mergedList(before.health.ignored, mine.health.ignored, now.health.ignored),
    },
  }
}

function changed<T extends object>(before: T, mine: T, now: T): T {
  const set = Object.entries(mine).filter(([name, value]) => value !== before[name as keyof T])
  return { ...now, ...Object.fromEntries(set) }
}

function mergedList<T>(before: readonly T[], mine: readonly T[], now: readonly T[]): T[] {
  const kept = now.filter((one) => mine.includes(one) || !before.includes(one))
  return [...kept, ...mine.filter((one) => !before.includes(one) && !now.includes(one))]
}
