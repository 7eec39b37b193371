import { defineStore } from 'pinia'
import { ref } from 'vue'

import { Course, unknown } from '@/api/course'
import { Socket } from '@/api/socket'
import type { Process, Push } from '@/api/types'
import { tracksOf } from '@/live/tracks'
import { useAlarms } from '@/stores/alarms'
import { useHealth } from '@/stores/health'
import { useSession } from '@/stores/session'
import { useSite } from '@/stores/site'

const TOPICS = ['alarms', 'streams', 'tracks', 'site', 'processes']

/** The one push connection: it feeds the other stores while somebody is signed in. */
export const useLink = defineStore('link', () => {
  const online = ref(false)
  const connections = ref(0)
  /** Counts the times that alarms may have been missed, so that pages can read them again. */
  const resets = ref(0)
  const processes = ref<Record<string, Process>>({})
  /** Counts what was told of tasks: whoever shows them reads them again. */
  const taskNews = ref(0)
  const session = useSession()
  const site = useSite()
  const alarms = useAlarms()
  const health = useHealth()
  const course = new Course()
  let socket: Socket | null = null

  function readAnew(topics: readonly string[]): void {
    if (topics.includes('site') || topics.includes('streams')) void site.load()
    if (!topics.includes('alarms')) return
    resets.value += 1
    alarms.load().catch((error: unknown) => console.warn('alarms', error))
  }

  function take(message: Push): void {
    if (!course.takes(message)) return
    readAnew(unknown(message))
    if (message.type === 'tracks') tracksOf(message.data.camera).push(message.data)
    else if (message.type === 'alarm') alarms.take(message.data, true)
    else if (message.type === 'alarm_update') alarms.take(message.data, false)
    else if (message.type === 'stream') site.takeStream(message.data)
    else if (message.type === 'health') health.take(message.data)
    else if (message.type === 'process') processes.value = { ...processes.value, [message.data.name]: message.data }
    else if (message.type === 'task') taskNews.value += 1
    else if (message.type === 'site') void site.load()
    else if (message.type === 'ready') {
      course.cut()
      socket?.send({ type: 'subscribe', topics: TOPICS, cameras: null, resume: course.resume() })
      online.value = true
      connections.value += 1
    }
  }

  function start(): void {
    if (socket) return
    socket = new Socket(
      '/ws',
      () => session.token,
      { text: (message) => take(message as Push), closed: () => (online.value = false) },
      () => session.renew(),
    )
    socket.open()
    readAnew(TOPICS)
  }

  function stop(): void {
    socket?.close()
    socket = null
    online.value = false
    course.forget()
    site.clear()
    alarms.clear()
    health.clear()
  }

  return { online, connections, resets, processes, taskNews, start, stop }
})
