import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from '@/App.vue'
import { installElement } from '@/element'
import { i18n } from '@/i18n'
import { router } from '@/router'
import '@/styles/tokens.css'
import '@/styles/element.css'
import '@/styles/base.css'
import '@/styles/ledger.css'

const app = createApp(App)
app.use(createPinia())
app.use(i18n)
app.use(router)
installElement(app)
app.mount('#app')
