import { onBeforeUnmount, onMounted, reactive, type Ref } from 'vue'

export interface Size {
  width: number
  height: number
}

/** The size of an element's content, kept current while the component lives. */
export function useSize(element: Readonly<Ref<HTMLElement | null>>): Size {
  const size = reactive<Size>({ width: 0, height: 0 })
  const observer = new ResizeObserver(([entry]) => {
    if (entry) Object.assign(size, { width: entry.contentRect.width, height: entry.contentRect.height })
  })
  onMounted(() => {
    if (element.value) observer.observe(element.value)
  })
  onBeforeUnmount(() => observer.disconnect())
  return size
}

/** Calls `act` when a key goes down anywhere on the page. */
export function useKey(act: (event: KeyboardEvent) => void): void {
  onMounted(() => window.addEventListener('keydown', act))
  onBeforeUnmount(() => window.removeEventListener('keydown', act))
}
