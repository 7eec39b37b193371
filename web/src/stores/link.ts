import { defineStore } from 'pinia'
import { ref } from 'vue'

import { Socket } from '@/api/socket'
import type { Process, Push } from '@/api/types'
import { tracksOf } from '@/live/tracks'
import { useAlarms } from '@/stores/alarms'
import { useSession } from '@/stores/session'
import { useSite } from '@/stores/site'

const TOPICS = ['alarms', 'streams', 'tracks', 'site', 'processes']

/** The one push connection: it feeds the other stores while somebody is signed in. */
export const useLink = defineStore('link', () => {
  const online = ref(false)
  /** Counts connections, so that pages can read again what they may have missed. */
  const connections = ref(0)
  const processes = ref<Record<string, Process>>({})
  const session = useSession()
  const site = useSite()
  const alarms = useAlarms()
  let socket: Socket | null = null

  function refresh(): void {
    void site.load()
    alarms.load().catch((error: unknown) => console.warn('alarms', error))
  }

  function take(message: Push): void {
    if (message.type === 'tracks') tracksOf(message.data.camera).push(message.data)
    else if (message.type === 'alarm') alarms.take(message.data, true)
    else if (message.type === 'alarm_update') alarms.take(message.data, false)
    else if (message.type === 'stream') site.takeStream(message.data)
    else if (message.type === 'process') processes.value = { ...processes.value, [message.data.name]: message.data }
    else if (message.type === 'site') void site.load()
    else if (message.type === 'lagged') refresh()
    else if (message.type === 'ready') {
      socket?.send({ type: 'subscribe', topics: TOPICS, cameras: null })
      online.value = true
      connections.value += 1
      refresh()
    }
  }

  function start(): void {
    if (socket) return
    socket = new Socket(
      '/ws',
      () => session.token,
      { text: (message) => take(message as Push), closed: () => (online.value = false) },
      () => session.end(),
    )
    socket.open()
    refresh()
  }

  function stop(): void {
    socket?.close()
    socket = null
    online.value = false
    site.clear()
    alarms.clear()
  }

  return { online, connections, processes, start, stop }
})
