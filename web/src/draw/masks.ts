import type { Point, Zone } from '@/api/types'
import { newRule } from '@/draw/rule'

/** As many masks, with as many corners each, as the server takes. */
export const MOST_MASKS = 32

/** A mask is drawn and changed as the polygon of a zone is. `index`: its place among the camera's masks. */
export function asZone(mask: readonly Point[], camera: string, index: number, name: string): Zone {
  return { ...(newRule('zone', camera, name) as Zone), id: `mask-${index}`, polygon: [...mask] }
}

/** The masks with one changed, added behind the last, or taken away (null). */
export function withMask(masks: readonly Point[][], index: number, mask: Point[] | null): Point[][] {
  if (mask === null) return masks.filter((_, at) => at !== index)
  return index < masks.length ? masks.map((one, at) => (at === index ? mask : one)) : [...masks, mask]
}

/** For SVG: corners in pixels of a picture of that size. */
export function outline(mask: readonly Point[], width: number, height: number): string {
  return mask.map(([x, y]) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(' ')
}
