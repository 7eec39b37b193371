import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { i18n, preferred, type Language } from '@/i18n'

export type Theme = 'system' | 'dark' | 'light'
export type WallSize = 1 | 4 | 9
/** How live pictures come: the usual way, or with the least delay. */
export type LivePlayerKind = 'mse' | 'webrtc'

const KEY = 'perishield.preferences'

interface Kept {
  language?: Language
  theme?: Theme
  wallSize?: WallSize
  alarmsOpen?: boolean
  boxes?: boolean
  /** Alarms of one intrusion in one row. */
  grouped?: boolean
  rules?: boolean
  player?: LivePlayerKind
}

function read(): Kept {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Kept
  } catch {
    return {}
  }
}

export const usePreferences = defineStore('preferences', () => {
  const kept = read()
  const language = ref<Language>(kept.language ?? preferred(navigator.languages))
  const theme = ref<Theme>(kept.theme ?? 'system')
  const wallSize = ref<WallSize>(kept.wallSize ?? 4)
  const alarmsOpen = ref(kept.alarmsOpen ?? true)
  const boxes = ref(kept.boxes ?? true)
  const rules = ref(kept.rules ?? true)
  const grouped = ref(kept.grouped ?? true)
  const player = ref<LivePlayerKind>(kept.player === 'webrtc' ? 'webrtc' : 'mse')

  const query = window.matchMedia('(prefers-color-scheme: light)')
  const systemLight = ref(query.matches)
  query.addEventListener('change', (event) => (systemLight.value = event.matches))
  const dark = computed(() => (theme.value === 'system' ? !systemLight.value : theme.value === 'dark'))

  watch(
    dark,
    (value) => {
      document.documentElement.classList.toggle('dark', value)
      document.documentElement.style.colorScheme = value ? 'dark' : 'light'
    },
    { immediate: true },
  )
  watch(
    language,
    (value) => {
      i18n.global.locale.value = value
      document.documentElement.lang = value === 'zh' ? 'zh-CN' : 'en'
    },
    { immediate: true },
  )
  watch([language, theme, wallSize, alarmsOpen, boxes, rules, grouped, player], () => {
    const next: Kept = {
      language: language.value,
      theme: theme.value,
      wallSize: wallSize.value,
      alarmsOpen: alarmsOpen.value,
      boxes: boxes.value,
      rules: rules.value,
      grouped: grouped.value,
      player: player.value,
    }
    localStorage.setItem(KEY, JSON.stringify(next))
  })

  function toggleTheme(): void {
    theme.value = dark.value ? 'light' : 'dark'
  }

  return { language, theme, wallSize, alarmsOpen, boxes, rules, grouped, player, dark, toggleTheme }
})
