import { defineStore } from 'pinia'
import { ref } from 'vue'

import type { Camera, Health, Spell } from '@/api/types'

const NONE: readonly Spell[] = []

/** How the cameras themselves are, as the push connection tells it. */
export const useHealth = defineStore('health', () => {
  const reports = ref<Record<string, Health>>({})

  function take(health: Health): void {
    reports.value = { ...reports.value, [health.camera]: health }
  }

  /** What is wrong with its picture now; a camera that is switched off or sends nothing is not judged. */
  function spells(camera: Camera): readonly Spell[] {
    if (!camera.enabled || camera.stream?.condition !== 'live') return NONE
    return reports.value[camera.id]?.spells ?? NONE
  }

  /** Whether somebody should look after it: its picture is no good, or none comes. */
  function unwell(camera: Camera): boolean {
    return camera.enabled && (camera.stream?.condition === 'failed' || spells(camera).length > 0)
  }

  function clear(): void {
    reports.value = {}
  }

  return { reports, take, spells, unwell, clear }
})
