import { exchange, request } from '@/api/http'
import type { Moment } from '@/live/rtp'

const id = encodeURIComponent

/** Where a camera can be watched; empty where that way is switched off. */
export interface Ways {
  mse: string
  hls: string
  whep: string
  rtsp: string
  ice_servers: RTCIceServer[]
}

export const live = {
  ways: (camera: string) => request<Ways>('GET', `/api/live/ways/${id(camera)}`),

  /** Answer to an offer, and the address that ends what began. */
  async offer(camera: string, sdp: string): Promise<{ answer: string; session: string }> {
    const response = await exchange(`/api/whep/${id(camera)}`, 'application/sdp', sdp)
    return { answer: await response.text(), session: response.headers.get('Location') ?? '' }
  },

  moment: (session: string) => request<Moment>('GET', `${session.split('?')[0]}/moment`),

  /** Also while the page is being left; a session that is gone already is as good. */
  leave: (session: string): Promise<unknown> =>
    fetch(session, { method: 'DELETE', keepalive: true }).catch(() => undefined),
}
