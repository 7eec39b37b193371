import { computed, onBeforeUnmount, ref, watch } from 'vue'

import { tasks as api, type Task, type TaskFilter } from '@/api/tasks'
import { useLink } from '@/stores/link'

const EVERY_MS = 5000
const PAGE = 50

/** The tasks that fit the filter, read anew when one of them changes how it stands, and every few seconds besides. */
export function useTasks(failed: (error: unknown) => void) {
  const link = useLink()
  const filter = ref<TaskFilter>({ search: '' })
  const items = ref<Task[]>([])
  const total = ref(0)
  /** How many there are, whatever is filtered. */
  const all = ref(0)
  const loaded = ref(false)
  const limit = ref(PAGE)
  const filtered = computed(() => !!(filter.value.search.trim() || filter.value.camera || filter.value.condition))
  let reading = false
  let again = false

  async function read(): Promise<void> {
    again = reading
    if (reading) return
    reading = true
    try {
      const whole = !filtered.value
      const found = await api.list(filter.value, limit.value)
      items.value = found.items
      total.value = found.total
      if (whole) all.value = found.total
      // Not known for certain while filtered, but not fewer than these.
      else all.value = Math.max(all.value, found.total)
      loaded.value = true
      failed(null)
    } catch (error) {
      failed(error)
    } finally {
      reading = false
    }
    if (again) await read()
  }

  function more(): void {
    limit.value += PAGE
    void read()
  }

  watch(
    filter,
    () => {
      limit.value = PAGE
      void read()
    },
    { deep: true },
  )
  watch([() => link.taskNews, () => link.connections], () => void read())
  const timer = window.setInterval(() => {
    if (!document.hidden) void read()
  }, EVERY_MS)
  onBeforeUnmount(() => window.clearInterval(timer))

  return { filter, items, total, all, loaded, filtered, read, more }
}
