// Reads one calendar file with KCalendarCore and prints what each of its events says, as JSON.
#include <KCalendarCore/ICalFormat>
#include <KCalendarCore/MemoryCalendar>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTextStream>

int main(int, char **argv)
{
    QFile file(QString::fromLocal8Bit(argv[1]));
    if (!file.open(QIODevice::ReadOnly)) {
        return 2;
    }
    KCalendarCore::MemoryCalendar::Ptr calendar(new KCalendarCore::MemoryCalendar("Asia/Ho_Chi_Minh"));
    KCalendarCore::ICalFormat format;
    if (!format.fromRawString(calendar, file.readAll())) {
        return 3;
    }
    QJsonArray told;
    for (const auto &event : calendar->rawEvents()) {
        told.append(QJsonObject{
            {"uid", event->uid()},
            {"starts", event->dtStart().toSecsSinceEpoch()},
            {"ends", event->dtEnd().toSecsSinceEpoch()},
            {"title", event->summary()},
            {"sequence", event->revision()},
            {"cancelled", event->status() == KCalendarCore::Incidence::StatusCanceled},
        });
    }
    QTextStream(stdout) << QJsonDocument(told).toJson(QJsonDocument::Compact);
    return 0;
}
