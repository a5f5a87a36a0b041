"""The words around a notification in an e-mail, on the pages that e-mails lead to, and of the messages that prove an address."""

from collections.abc import Mapping

FRAME: Mapping[str, Mapping[str, str]] = {
    "en": {
        "open": "Open in GoalGraph",
        "why": "You get this e-mail because GoalGraph tells you of {what} by e-mail.",
        "why_critical": "You get this e-mail because it concerns {what}. Such e-mails cannot be turned off.",
        "unsubscribe": "No more e-mails about this",
        "unsubscribe_all": "No more e-mails but what concerns my account",
        "unsubscribe_title": "No more of these e-mails?",
        "unsubscribe_ask": "GoalGraph will not write to you about {what} any more. You find it in the application all the same.",
        "unsubscribe_button": "Unsubscribe",
        "unsubscribed_title": "You are unsubscribed",
        "unsubscribed": "GoalGraph will not write to you about {what} any more. You can turn it on again in the application's settings.",
        "confirm_subject": "Confirm your e-mail address",
        "confirm_body": "Somebody, probably you, wants GoalGraph to write to this address.\n\n"
        "If it was you, confirm it within a day. If not, do nothing: you will not hear from us.",
        "confirm_button": "Confirm this address",
        "confirm_why": "You get this e-mail because this address was entered at GoalGraph.",
        "confirm_title": "Confirm your e-mail address",
        "confirm_ask": "GoalGraph will write to {address}.",
        "confirmed_title": "Your address is confirmed",
        "confirmed": "GoalGraph writes to {address} from now on. What about, you choose in the application's settings.",
        "invalid_title": "This link does not work",
        "invalid": "It is too old, was used for another address since, or was not copied whole. Ask for a new one in the application.",
        "sms_code": "GoalGraph: {code} is your code. It is valid for 10 minutes. Give it to nobody.",
    },
    "pt-BR": {
        "open": "Abrir no GoalGraph",
        "why": "Você recebe este e-mail porque o GoalGraph avisa você por e-mail sobre {what}.",
        "why_critical": "Você recebe este e-mail porque ele diz respeito a {what}. E-mails assim não podem ser desativados.",
        "unsubscribe": "Não quero mais e-mails sobre isto",
        "unsubscribe_all": "Não quero mais e-mails, a não ser sobre a minha conta",
        "unsubscribe_title": "Não quer mais estes e-mails?",
        "unsubscribe_ask": "O GoalGraph não vai mais escrever a você sobre {what}. No aplicativo, você continua a ver tudo.",
        "unsubscribe_button": "Cancelar inscrição",
        "unsubscribed_title": "Inscrição cancelada",
        "unsubscribed": "O GoalGraph não vai mais escrever a você sobre {what}. Você pode reativar isso nas configurações do aplicativo.",
        "confirm_subject": "Confirme seu endereço de e-mail",
        "confirm_body": "Alguém, provavelmente você, quer que o GoalGraph escreva para este endereço.\n\n"
        "Se foi você, confirme em até um dia. Se não, não faça nada: você não receberá mais nada de nós.",
        "confirm_button": "Confirmar este endereço",
        "confirm_why": "Você recebe este e-mail porque este endereço foi informado no GoalGraph.",
        "confirm_title": "Confirme seu endereço de e-mail",
        "confirm_ask": "O GoalGraph vai escrever para {address}.",
        "confirmed_title": "Seu endereço está confirmado",
        "confirmed": "A partir de agora, o GoalGraph escreve para {address}. Sobre o quê, você escolhe nas configurações do aplicativo.",
        "invalid_title": "Este link não funciona",
        "invalid": "Ele é antigo demais, foi substituído por outro, ou não foi copiado por inteiro. Peça um novo no aplicativo.",
        "sms_code": "GoalGraph: {code} é o seu código. Ele vale por 10 minutos. Não o passe a ninguém.",
    },
    "es": {
        "open": "Abrir en GoalGraph",
        "why": "Recibes este correo porque GoalGraph te avisa por correo de {what}.",
        "why_critical": "Recibes este correo porque trata de {what}. Estos correos no se pueden desactivar.",
        "unsubscribe": "No quiero más correos sobre esto",
        "unsubscribe_all": "No quiero más correos, salvo los de mi cuenta",
        "unsubscribe_title": "¿No quieres más estos correos?",
        "unsubscribe_ask": "GoalGraph ya no te escribirá sobre {what}. En la aplicación lo sigues viendo todo.",
        "unsubscribe_button": "Cancelar la suscripción",
        "unsubscribed_title": "Suscripción cancelada",
        "unsubscribed": "GoalGraph ya no te escribirá sobre {what}. Puedes volver a activarlo en los ajustes de la aplicación.",
        "confirm_subject": "Confirma tu dirección de correo",
        "confirm_body": "Alguien, probablemente tú, quiere que GoalGraph escriba a esta dirección.\n\n"
        "Si fuiste tú, confírmalo en el plazo de un día. Si no, no hagas nada: no recibirás nada más de nosotros.",
        "confirm_button": "Confirmar esta dirección",
        "confirm_why": "Recibes este correo porque esta dirección se indicó en GoalGraph.",
        "confirm_title": "Confirma tu dirección de correo",
        "confirm_ask": "GoalGraph escribirá a {address}.",
        "confirmed_title": "Tu dirección está confirmada",
        "confirmed": "A partir de ahora, GoalGraph escribe a {address}. Sobre qué, lo eliges en los ajustes de la aplicación.",
        "invalid_title": "Este enlace no funciona",
        "invalid": "Es demasiado antiguo, otro lo ha sustituido, o no se copió entero. Pide uno nuevo en la aplicación.",
        "sms_code": "GoalGraph: {code} es tu código. Vale 10 minutos. No se lo des a nadie.",
    },
}

WHAT: Mapping[str, Mapping[str, str]] = {
    "en": {
        "reminder": "your reminders",
        "task_assigned": "tasks that others give you",
        "connection_request": "members who want to connect with you",
        "connection_accepted": "members who accept to connect with you",
        "message": "new messages",
        "badge": "your badges",
        "level": "your levels",
        "billing": "your plan and its payments",
        "digest": "what a day brings",
        "moderation": "decisions of the moderators",
        "security": "the safety of your account",
        "all": "anything that can be turned off",
    },
    "pt-BR": {
        "reminder": "seus lembretes",
        "task_assigned": "tarefas que outros passam a você",
        "connection_request": "pessoas que querem se conectar com você",
        "connection_accepted": "pessoas que aceitam se conectar com você",
        "message": "novas mensagens",
        "badge": "suas medalhas",
        "level": "seus níveis",
        "billing": "seu plano e os pagamentos",
        "digest": "o que o dia traz",
        "moderation": "decisões da moderação",
        "security": "segurança da sua conta",
        "all": "tudo o que pode ser desativado",
    },
    "es": {
        "reminder": "tus recordatorios",
        "task_assigned": "tareas que otros te asignan",
        "connection_request": "personas que quieren conectar contigo",
        "connection_accepted": "personas que aceptan conectar contigo",
        "message": "mensajes nuevos",
        "badge": "tus insignias",
        "level": "tus niveles",
        "billing": "tu plan y sus pagos",
        "digest": "lo que trae el día",
        "moderation": "decisiones de la moderación",
        "security": "la seguridad de tu cuenta",
        "all": "todo lo que se puede desactivar",
    },
}
"""What a kind of notification is about, as it stands in a sentence."""


def frame(language: str, name: str, **values: str) -> str:
    return FRAME[language][name].format(**values)


def what(language: str, kind: str) -> str:
    return WHAT[language][kind]
