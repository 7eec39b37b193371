import { ref, watch } from 'vue'

import { alarms as api } from '@/api/endpoints'
import type { Alarm, Happening } from '@/api/types'
import { useTexts } from '@/i18n/text'

/** All that happened to an alarm, oldest first, read again when it changes. */
export function useHistory(alarm: () => Alarm) {
  const { problem } = useTexts()
  const told = ref<Happening[]>([])
  const note = ref('')

  async function read(): Promise<void> {
    const { id } = alarm()
    try {
      const found = await api.history(id)
      if (id !== alarm().id) return
      told.value = found.items
      note.value = ''
    } catch (error) {
      if (id === alarm().id) note.value = problem(error)
    }
  }

  watch(() => alarm().id, () => (told.value = []))
  watch(
    () => [alarm().id, alarm().revision, alarm().comments, alarm().snapshot_url !== null, alarm().clip.state],
    () => void read(),
    { immediate: true },
  )
  return { told, note, read }
}
