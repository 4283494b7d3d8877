/** The few emoji that people use when they talk to a shop, five rows of eight. Imports nothing. */
export const EMOJI: readonly string[] = [
  "😀 😊 😂 🙂 😉 😍 🥰 😎",
  "🤔 😅 😢 😭 😡 😱 🙈 🥳",
  "👍 👎 👋 🙏 👏 🙌 💪 🤝",
  "❤️ 💔 ⭐ 🔥 🎉 🎁 ✨ 💯",
  "✅ ❌ ❓ 👀 📦 🚚 💳 🛒",
].flatMap((row) => row.split(" "));

export const EMOJI_COLUMNS = 8;
