"""Made-up names of goods and people, with the accents and signs real shops have. Imports nothing of ours."""

# (English, French); together with a number they make a product's name.
ADJECTIVES = (
    ("Blue", "Bleu"),
    ("Small", "Petit"),
    ("Wood & Steel", "Bois & Acier"),
    ("“Fancy”", "« Élégant »"),
    ("Crème brûlée", "Crème brûlée"),
    ("Antique", "Ancien"),
    ("O'Neil's", "D'Œuvre"),
    ("Ærø", "Ærø"),
    ("Żółty", "Jaune"),
    ("Handmade", "Fait main"),
    ("Père & Fils", "Père & Fils"),
    ("50% cotton", "50% coton"),
    ("Straßen", "De rue"),
    ("Señorita", "Señorita"),
    ("Große", "Grand"),
    ('"Quoted"', '"Cité"'),
)
NOUNS = (
    ("teapot", "théière"),
    ("mug", "tasse"),
    ("knife", "couteau"),
    ("notebook", "carnet"),
    ("lamp", "lampe"),
    ("cushion", "coussin"),
    ("vase", "vase"),
    ("blanket", "couverture"),
    ("clock", "horloge"),
    ("bowl", "bol"),
    ("chair", "chaise"),
    ("scarf", "écharpe"),
    ("t-shirt", "t-shirt"),
    ("candle", "bougie"),
)
FIRST_NAMES = (
    "Zoë", "Łukasz", "François", "Jürgen", "Ángela", "Bjørn", "Chloé", "Dvořák", "Élodie", "Grzegorz",
    "Inês", "João", "Katarzyna", "Maëlys", "Niamh", "Ömer", "Søren", "Thérèse", "Ulrike", "Željka",
)  # fmt: skip
LAST_NAMES = (
    "Müller", "Nowak", "O'Brien", "Dupont", "García Márquez", "Jørgensen", "Lefèvre", "Škoda", "Żółć", "Weiß",
    "D'Angelo", "Kowalczyk", "Núñez", "Ström", "van den Berg", "Öztürk", "Béranger", "Håkansson", "Ćosić", "Le Goff",
)  # fmt: skip
# (ISO code, city, postcode, street)
PLACES = (
    ("FR", "Paris", "75011", "12 rue de l'Église"),
    ("FR", "Besançon", "25000", "3 quai Vauban"),
    ("DE", "Köln", "50667", "Große Straße 7"),
    ("DE", "München", "80331", "Sendlinger Str. 22"),
    ("ES", "Málaga", "29001", "Calle Nueva 4"),
    ("PL", "Łódź", "90-001", "ul. Piotrkowska 15"),
    ("IT", "Forlì", "47121", "Via Giosuè Carducci 9"),
    ("PT", "Évora", "7000-001", "Rua do Raimundo 31"),
    ("BE", "Liège", "4000", "Rue Léopold 2"),
    ("SE", "Malmö", "211 20", "Södergatan 18"),
)
MANUFACTURERS = ("Dupont & Fils", "Åkerlund", "Łódź Tekstylia", "Atelier Nº 5", "Weiß Glas")
COLOURS = (("White", "Blanc", "#ffffff"), ("Black", "Noir", "#434A54"), ("Red", "Rouge", "#E84C3D"))
SIZES = ("S", "M", "L", "XL")
