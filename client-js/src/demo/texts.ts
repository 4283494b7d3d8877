/** The demo shop's words in the widget's languages. Imports nothing. */

export interface Texts {
  readonly note: string;
  readonly console: string;
  readonly goods: string;
  readonly care: string;
  readonly language: string;
  readonly basket: string;
  readonly title: string;
  readonly lead: string;
  readonly look: string;
  readonly season: string;
  readonly mug: string;
  readonly lantern: string;
  readonly blanket: string;
  readonly kettle: string;
  readonly vase: string;
  readonly axe: string;
  readonly add: string;
  readonly careTitle: string;
  readonly careText: string;
  readonly ask: string;
  readonly fiction: string;
}

const en: Texts = {
  note: "This is a demo shop. Write to us with the button in the corner, and answer in",
  console: "the agent console",
  goods: "Goods",
  care: "Shipping & care",
  language: "Language",
  basket: "Basket",
  title: "Made for wind and weather",
  lead: "Stoneware, wool and iron from small workshops by the sea. Sent to forty countries, in paper and straw.",
  look: "Look around",
  season: "This season",
  mug: "Stoneware mug, wooden lid",
  lantern: "Storm lantern, brass and glass",
  blanket: "Blanket of undyed wool",
  kettle: "Enamel kettle, 1.2 litres",
  vase: "Vase, thrown by hand",
  axe: "Camp axe, ash handle",
  add: "Add",
  careTitle: "Questions? There is a person here.",
  careText:
    "Delivery to your island, the right size, a chipped lid: write to us in your own language and we will find an answer.",
  ask: "Ask us",
  fiction: "A shop that exists only to show Tradewind.",
};

const zh: Texts = {
  note: "这是一家演示商店。请用右下角的按钮给我们留言，并在这里回复：",
  console: "客服工作台",
  goods: "商品",
  care: "配送与保养",
  language: "语言",
  basket: "购物篮",
  title: "为风雨而作",
  lead: "来自海边小作坊的陶器、羊毛与铁器。以纸和稻草包装，寄往四十个国家。",
  look: "随便看看",
  season: "本季新品",
  mug: "陶杯，配木盖",
  lantern: "黄铜玻璃风灯",
  blanket: "原色羊毛毯",
  kettle: "珐琅水壶，1.2 升",
  vase: "手工拉坯花瓶",
  axe: "露营斧，白蜡木柄",
  add: "加入",
  careTitle: "有问题？这里有真人。",
  careText: "能否送到您所在的小岛、合适的尺寸、磕坏的杯盖：用您的语言写给我们，我们来想办法。",
  ask: "问问我们",
  fiction: "这家商店只为展示 Tradewind 而存在。",
};

const es: Texts = {
  note: "Esta es una tienda de demostración. Escríbenos con el botón de la esquina y responde en",
  console: "la consola de agentes",
  goods: "Productos",
  care: "Envíos y cuidados",
  language: "Idioma",
  basket: "Cesta",
  title: "Hecho para el viento y la lluvia",
  lead: "Gres, lana y hierro de pequeños talleres junto al mar. Enviamos a cuarenta países, en papel y paja.",
  look: "Echar un vistazo",
  season: "Esta temporada",
  mug: "Taza de gres con tapa de madera",
  lantern: "Farol de tormenta, latón y vidrio",
  blanket: "Manta de lana sin teñir",
  kettle: "Hervidor esmaltado, 1,2 litros",
  vase: "Jarrón torneado a mano",
  axe: "Hacha de campamento, mango de fresno",
  add: "Añadir",
  careTitle: "¿Preguntas? Aquí hay una persona.",
  careText:
    "El envío a tu isla, la talla correcta, una tapa rota: escríbenos en tu idioma y encontraremos una respuesta.",
  ask: "Pregúntanos",
  fiction: "Una tienda que solo existe para mostrar Tradewind.",
};

const pt: Texts = {
  note: "Esta é uma loja de demonstração. Escreva-nos com o botão no canto e responda na",
  console: "consola dos agentes",
  goods: "Produtos",
  care: "Envio e cuidados",
  language: "Idioma",
  basket: "Cesto",
  title: "Feito para o vento e a chuva",
  lead: "Grés, lã e ferro de pequenas oficinas à beira-mar. Enviamos para quarenta países, em papel e palha.",
  look: "Dar uma olhada",
  season: "Esta estação",
  mug: "Caneca de grés, tampa de madeira",
  lantern: "Lanterna de tempestade, latão e vidro",
  blanket: "Manta de lã não tingida",
  kettle: "Chaleira esmaltada, 1,2 litros",
  vase: "Jarra moldada à mão",
  axe: "Machado de campo, cabo de freixo",
  add: "Adicionar",
  careTitle: "Perguntas? Há aqui uma pessoa.",
  careText:
    "Entrega na sua ilha, o tamanho certo, uma tampa lascada: escreva-nos na sua língua e encontraremos uma resposta.",
  ask: "Pergunte-nos",
  fiction: "Uma loja que só existe para mostrar o Tradewind.",
};

const de: Texts = {
  note: "Dies ist ein Vorführladen. Schreiben Sie uns über den Knopf in der Ecke und antworten Sie in",
  console: "der Konsole",
  goods: "Waren",
  care: "Versand & Pflege",
  language: "Sprache",
  basket: "Korb",
  title: "Gemacht für Wind und Wetter",
  lead: "Steinzeug, Wolle und Eisen aus kleinen Werkstätten am Meer. In vierzig Länder verschickt, in Papier und Stroh.",
  look: "Umsehen",
  season: "Diese Saison",
  mug: "Steinzeugbecher mit Holzdeckel",
  lantern: "Sturmlaterne, Messing und Glas",
  blanket: "Decke aus ungefärbter Wolle",
  kettle: "Emaillekessel, 1,2 Liter",
  vase: "Vase, von Hand gedreht",
  axe: "Feldaxt mit Eschenstiel",
  add: "Dazu",
  careTitle: "Fragen? Hier ist ein Mensch.",
  careText:
    "Lieferung auf Ihre Insel, die richtige Größe, ein angeschlagener Deckel: Schreiben Sie uns in Ihrer Sprache, wir finden eine Antwort.",
  ask: "Fragen Sie uns",
  fiction: "Ein Laden, den es nur gibt, um Tradewind zu zeigen.",
};

const fr: Texts = {
  note: "Ceci est une boutique de démonstration. Écrivez-nous avec le bouton dans le coin et répondez dans",
  console: "la console des agents",
  goods: "Objets",
  care: "Livraison et entretien",
  language: "Langue",
  basket: "Panier",
  title: "Faits pour le vent et la pluie",
  lead: "Grès, laine et fer de petits ateliers du bord de mer. Expédiés dans quarante pays, dans du papier et de la paille.",
  look: "Faire un tour",
  season: "Cette saison",
  mug: "Tasse en grès, couvercle en bois",
  lantern: "Lanterne tempête, laiton et verre",
  blanket: "Couverture de laine non teinte",
  kettle: "Bouilloire émaillée, 1,2 litre",
  vase: "Vase tourné à la main",
  axe: "Hache de camp, manche en frêne",
  add: "Ajouter",
  careTitle: "Une question ? Il y a quelqu’un.",
  careText:
    "La livraison sur votre île, la bonne taille, un couvercle ébréché : écrivez-nous dans votre langue et nous trouverons une réponse.",
  ask: "Demandez-nous",
  fiction: "Une boutique qui n’existe que pour montrer Tradewind.",
};

const ja: Texts = {
  note: "これはデモ用のお店です。隅のボタンからメッセージを送り、こちらで返信してみてください：",
  console: "エージェントコンソール",
  goods: "商品",
  care: "配送とお手入れ",
  language: "言語",
  basket: "かご",
  title: "風と雨のために",
  lead: "海辺の小さな工房から届く、炻器、ウール、鉄の道具。紙と藁に包んで、四十か国へ。",
  look: "見てまわる",
  season: "今シーズン",
  mug: "炻器のマグ、木の蓋つき",
  lantern: "真鍮とガラスのランタン",
  blanket: "染めないウールのブランケット",
  kettle: "ホーローのケトル、1.2 リットル",
  vase: "手びねりの花瓶",
  axe: "トネリコの柄のキャンプ斧",
  add: "追加",
  careTitle: "ご質問ですか？ここに人がいます。",
  careText: "島への配送、ぴったりのサイズ、欠けた蓋。ご自分の言葉でお書きください。一緒に答えを見つけます。",
  ask: "質問する",
  fiction: "Tradewind を紹介するためだけにあるお店です。",
};

const ar: Texts = {
  note: "هذا متجر تجريبي. راسلنا بالزر الموجود في الزاوية، ثم أجب من",
  console: "لوحة الوكلاء",
  goods: "السلع",
  care: "الشحن والعناية",
  language: "اللغة",
  basket: "السلة",
  title: "صُنع للريح والمطر",
  lead: "خزف وصوف وحديد من ورش صغيرة على البحر. نرسلها إلى أربعين بلدًا، في الورق والقش.",
  look: "ألقِ نظرة",
  season: "هذا الموسم",
  mug: "كوب خزفي بغطاء خشبي",
  lantern: "فانوس عواصف من النحاس والزجاج",
  blanket: "بطانية من الصوف غير المصبوغ",
  kettle: "غلاية مطلية، 1.2 لتر",
  vase: "مزهرية مشكّلة باليد",
  axe: "فأس تخييم بمقبض من خشب الدردار",
  add: "أضف",
  careTitle: "لديك سؤال؟ هنا إنسان يجيبك.",
  careText: "التوصيل إلى جزيرتك، أو المقاس المناسب، أو غطاء مكسور: اكتب إلينا بلغتك وسنجد الجواب.",
  ask: "اسألنا",
  fiction: "متجر لا وجود له إلا لعرض Tradewind.",
};

export const TEXTS: Readonly<Record<string, Texts>> = { en, zh, es, pt, de, fr, ja, ar };
