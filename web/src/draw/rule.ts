import type { Rule, RuleKind } from '@/api/types'

/** A rule of that kind with nothing drawn yet. */
export function newRule(kind: RuleKind, camera: string, name: string): Rule {
  const base = {
    id: '',
    camera,
    name,
    enabled: true,
    level: kind === 'fence' ? 1 : kind === 'line_count' ? 4 : 2,
    labels: kind === 'left_object' ? ['suitcase', 'backpack', 'handbag'] : ['person'],
    min_score: 0,
    min_hits: 3,
    of_pictures: 0,
    anchor: 'foot' as const,
    cooldown_s: 10,
    rule_cooldown_s: 0,
    min_height: 0,
    max_height: 0,
    height_unit: 'share' as const,
    min_speed: 0,
    max_speed: 0,
    speed_unit: 'heights' as const,
    band: 0.06,
    band_px: 1.5,
    schedule: null,
    schedule_id: null,
    arming: 'scheduled' as const,
    one_shot: false,
    rearm_after_s: 0,
    condition: '',
    revision: 0,
  }
  switch (kind) {
    case 'tripwire':
      return { ...base, kind, line: [], direction: 'any' }
    case 'zone':
      return { ...base, kind, polygon: [], on: ['enter'], stay_s: 0, every_s: 0 }
    case 'fence':
      return {
        ...base,
        kind,
        outer: [],
        inner: [],
        depth: 0,
        depth_unit: 'heights',
        direction: 'left_to_right',
        within_s: 20,
      }
    case 'loiter':
      return { ...base, kind, polygon: [], stay_s: 30, radius: 0, radius_unit: 'heights', forgive_s: 3, every_s: 0 }
    case 'wrong_way':
      return {
        ...base,
        kind,
        polygon: [],
        way: [],
        tolerance_deg: 60,
        distance: 1,
        distance_unit: 'heights',
        least_s: 0.5,
      }
    case 'count':
      return { ...base, kind, polygon: [], at_least: 3, at_most: null, for_s: 5, forgive_s: 3, every_s: 0 }
    case 'line_count':
      return { ...base, kind, line: [], direction: 'any', each: 0, every_s: 0 }
    case 'left_object':
      return { ...base, kind, polygon: [], stay_s: 60, settle_s: 10, forgive_s: 10, still: 0.25 }
  }
}

/** The same rule with nothing drawn. */
export function undrawn(rule: Rule): Rule {
  switch (rule.kind) {
    case 'tripwire':
    case 'line_count':
      return { ...rule, line: [] }
    case 'fence':
      return { ...rule, outer: [], inner: [], between: [] }
    case 'wrong_way':
      return { ...rule, polygon: [], way: [] }
    default:
      return { ...rule, polygon: [] }
  }
}
