"""Which lists of the ``faker`` package the packaged surnames of each language come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SurnameList:
    """One list of a faker locale: an attribute of ``faker.providers.person.<locale>``."""

    locale: str
    attribute: str = "last_names"

    def __str__(self) -> str:
        """Name the list the way the README quotes it."""
        return f"{self.locale}.{self.attribute}"


@dataclass(frozen=True)
class Language:
    """Where the surnames of one language come from and which entries are left out."""

    lists: tuple[SurnameList, ...]
    not_in: tuple[SurnameList, ...] = ()
    excluded: frozenset[str] = frozenset()
    remark: str = ""


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name.strip() for line in lines for name in line.split(","))


# Why entries are excluded by hand: the lists count who lives in a country, so they hold frequent
# surnames of other languages (Khan in Britain, Nguyen in France), and a few hold entries that
# are no surname at all ("VI", "Koch II", "Hemma van Allemanië"). Spelt as after cleaning.
LANGUAGES: dict[str, Language] = {
    "Arabic": Language((SurnameList("fr_DZ"),), remark="Algerian, in French spelling"),
    "Azerbaijani": Language((SurnameList("az_AZ"),)),
    "Chinese": Language(
        (
            SurnameList("zh_CN", "last_romanized_names"),
            SurnameList("zh_TW", "last_romanized_names"),
        ),
        remark="romanised: Pinyin and Wade-Giles",
    ),
    "Croatian": Language((SurnameList("hr_HR"),)),
    "Dutch": Language(
        (SurnameList("nl_NL"),),
        excluded=_names(
            "Vi, Mosley, Aelftrud van Wessex, Bruijne van der Veen, Gepa van Bourgondië",
            "Coreth von und zu Coredo und Starkenberg, Godfrey van Alemannië",
            "Hemma van Allemanië, Henric van den Nuwenhuse, Heribert van Laon",
            "Luitgardis van Neustrië, Pieters van der Maes, Willems van Lier",
            "Wouters van Eijndhoven, de Jode Vastraedsd, de la Fleche, van Beeck Beeckmans",
            "van Haspengouw Hesbaye, van Hoevel en van Zwindrecht, van Kuijc van Malsen",
            "van der Stael de Jonge",
        ),
    ),
    "English": Language(
        (SurnameList("en_GB"),),
        excluded=_names(
            "Ahmed, Akhtar, Ali, Begum, Bibi, Chan, Hussain, Iqbal, Kaur, Khan, Mahmood, Miah",
            "Mistry, Patel, Rahman, Shah, Singh, Wong",
        ),
        remark="British, with Scottish, Welsh and anglicised Irish surnames",
    ),
    "Estonian": Language(
        (SurnameList("et_EE", "last_names_est"),),
        not_in=(SurnameList("et_EE", "last_names_rus"),),
    ),
    "Finnish": Language(
        (SurnameList("fi_FI"),),
        not_in=(SurnameList("sv_SE"),),
        remark="without Finland's Swedish surnames",
    ),
    "French": Language(
        (SurnameList("fr_FR"), SurnameList("fr_CA")),
        excluded=_names(
            "Alves, Becker, Cohen, Costa, Da Costa, Da Silva, De Oliveira, De Sousa, Diallo, Dias",
            "Diaz, Dos Santos, Fernandes, Fernandez, Ferreira, Fischer, Garcia, Gimenez, Gomes",
            "Gomez, Goncalves, Gonzalez, Harvey, Hernandez, Klein, Lopes, Lopez, Marques",
            "Martinez, Martins, Mendès, Meyer, Moreno, Muller, Munoz, Navarro, Nguyen, Patel",
            "Pereira, Perez, Pinto, Pires, Ramos, Ribeiro, Rodrigues, Rodriguez, Rossi, Ruiz",
            "Sanchez, Schmitt, Schneider, Smith, Teixeira, Torres, Traore, Wagner, Weber, Weiss",
        ),
    ),
    "German": Language(
        (SurnameList("de_AT"), SurnameList("de_DE")),
        excluded=_names(
            "Jovanovic, Simic, Horak, Kucera, Nemeth, Nowak, Prohaska, Toth, Varga, Mielcarek",
            "Oestrovsky, Tlustek, Kostolzin, Ditschlerin, Dussen van, van der Dussen",
            "auch Schlauchin, Grein Groth, Jacobi Jäckel, Koch II",
        ),
    ),
    "Hungarian": Language((SurnameList("hu_HU"),)),
    "Irish": Language(
        (SurnameList("ga_IE"),),
        excluded=_names("Blowick, Callahan, Carville, Duffy, Hynman, Kirwan, Landy"),
        remark="in Irish spelling",
    ),
    "Italian": Language(
        (SurnameList("it_IT"),),
        excluded=_names(
            "Goldstein, Leblanc, Lerner, Mozart, Renault, Roth, Smirnoff, Sokolov, Stein"
        ),
    ),
    "Japanese": Language(
        (SurnameList("ja_JP", "last_romanized_names"),),
        remark="romanised; the only list faker has, and a short one",
    ),
    "Latvian": Language((SurnameList("lv_LV"),), remark="both grammatical genders"),
    "Polish": Language(
        (SurnameList("pl_PL", "male_last_names"), SurnameList("pl_PL", "unisex_last_names"))
    ),
    "Portuguese": Language((SurnameList("pt_BR"), SurnameList("pt_PT"))),
    "Slovak": Language((SurnameList("sk_SK"),), remark="both grammatical genders"),
    "Spanish": Language((SurnameList("es_CL"), SurnameList("es_CO"), SurnameList("es_ES"))),
    "Swedish": Language(
        (SurnameList("sv_SE"),),
        excluded=_names(
            "Abbas, Abdi, Abdullah, Ahmad, Ahmadi, Ahmed, Ali, Andersen, Chen, Christensen",
            "Farah, Gashi, Hanna, Hansen, Hasan, Hassan, Hosseini, Hussein, Ibrahim, Ismail",
            "Issa, Jafari, Jensen, Johansen, Johnson, Jörgensen, Khalil, Khan, Larsen, Li, Liu",
            "Mohamed, Mohammad, Mohammadi, Mohammed, Mohamud, Mustafa, Nguyen, Nielsen, Olsen",
            "Omar, Osman, Pedersen, Petersen, Rasmussen, Said, Saleh, Schmidt, Singh, Smith",
            "Tran, Wang, Zhang",
        ),
    ),
    "Yoruba": Language((SurnameList("yo_NG"),)),
}
